mkdir -p down
for file in *.sql; do
  awk -v up="$file.new" -v down="down/$file" '
    function add(line) { if (undo) downs = downs line "\n"; else ups = ups line "\n" }
    /^-- \+goose NO TRANSACTION/         { first = "-- pgdbm:no-transaction\n"; next }
    /^-- \+goose Up/                     { undo = 0; next }
    /^-- \+goose Down/                   { undo = 1; next }
    /^-- \+goose Statement(Begin|End)/   { next }
                                         { add($0) }
    END {
      printf "%s", first ups > up
      if (downs ~ /[^[:space:]]/) printf "%s", first downs > down
    }' "$file" && mv "$file.new" "$file"
done
