# PostgreSQL comes by itself: set PGDBM_TEST_DSN to use a server of yours, else one is started from the local programs.
# The tests start PgBouncer in the same way. Those that need it skip themselves where it is missing, and fail if
# PGDBM_TEST_ALL is set.

# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc clang cc),-race)
LINT := go tool -modfile=$(CURDIR)/.ci/golangci-lint.mod golangci-lint
# What needs libraries that are too heavy for the go.mod that users get has one of its own: tests, examples, and comparisons.
PEERS := internal/peertests
ORMS := examples/orms
COMPARE := benchmarks/migrations
TENANTS := benchmarks/tenants

.PHONY: demo test test-sets soak thirdparty test-compare lint bench bench-compare bench-migrations bench-tenants fuzz

demo: ## the main job, to look at
	@go run ./examples/quickstart

test: ## all tests
	go test $(RACE) ./...
	cd $(PEERS) && go test $(RACE) ./...
	cd $(ORMS) && go test $(RACE) ./...

SETS ?=
test-sets: ## runs folders of migrations, SETS='dir ...' or those of this repository, through pgdbm and through psql, and prints what differs
	go test -count 1 -timeout 1h -run '^TestSets$$' ./internal/testsets -sets '$(abspath $(SETS))'

SOAKTIME ?= 1m
soak: ## looks for a tenant's row in the hands of another, for a minute; and must find one where the driver has a fault
	cd $(ORMS) && go test $(RACE) -count 1 -timeout 1h -parallel 4 -run '^TestSoak$$' ./soak -soak.time $(SOAKTIME)
	cd $(ORMS) && go test -count 1 -tags soak_leaks -run '^TestSoakFindsLeaks$$' ./soak

THIRDPARTYTIME ?= 5m
thirdparty: ## looks for a statement that does something else than on plain pgx while another process changes the tables; five minutes for each of 8 configurations
	go test -count 1 -timeout 0 -parallel 2 -run '^TestThirdParty$$' ./internal/thirdparty -thirdparty.time $(THIRDPARTYTIME)

test-compare: ## a short run of bench-compare, whose other tools need a newer Go, so that it cannot rot
	cd $(COMPARE) && go test $(RACE) ./...
	cd $(TENANTS) && go test $(RACE) ./...

lint: ## what CI checks besides the tests; builds the linter the first time, which takes a minute or two
	go mod tidy -diff
	go vet ./...
	$(LINT) run
	cd $(PEERS) && go mod tidy -diff && go vet ./... && $(LINT) run
	cd $(ORMS) && go mod tidy -diff && go vet ./... && $(LINT) run
	cd $(COMPARE) && go mod tidy -diff && go vet ./... && $(LINT) run
	cd $(TENANTS) && go mod tidy -diff && go vet ./... && $(LINT) run

bench: ## every figure of the documentation, on this machine
	go test -run '^$$' -bench . -benchmem -count 3 ./internal/sqllex ./internal/template ./internal/named
	go test -run '^$$' -bench . -benchtime 3s -count 3 ./driver ./schemadb
	go test -run '^$$' -bench . -count 3 ./internal/pgserver ./fixtures

# What to measure, as flags of the programs; -help lists them.
COMPAREFLAGS ?=
TENANTSFLAGS ?=
bench-compare: bench-migrations bench-tenants ## every comparison with others

bench-migrations: ## migrations beside goose, golang-migrate and tern; takes about half an hour
	cd $(COMPARE) && go run . $(COMPAREFLAGS)

bench-tenants: ## a query with 1 to 10,000 tenants, beside plain pgx; takes a quarter of an hour
	cd $(TENANTS) && go run . $(TENANTSFLAGS)

FUZZTIME ?= 10m
fuzz: ## each fuzz target, one after the other
	go test -run '^$$' -fuzz '^FuzzLexer$$' -fuzztime $(FUZZTIME) ./internal/sqllex
	go test -run '^$$' -fuzz '^FuzzExpand$$' -fuzztime $(FUZZTIME) ./internal/template
	go test -run '^$$' -fuzz '^FuzzParse$$' -fuzztime $(FUZZTIME) ./internal/named
	go test -run '^$$' -fuzz '^FuzzRebind$$' -fuzztime $(FUZZTIME) ./internal/named
	go test -run '^$$' -fuzz '^FuzzSplit$$' -fuzztime $(FUZZTIME) ./internal/sqlsplit
	go test -run '^$$' -fuzz '^FuzzParseName$$' -fuzztime $(FUZZTIME) ./internal/migfile
	go test -run '^$$' -fuzz '^FuzzScript$$' -fuzztime $(FUZZTIME) ./internal/migfile
	go test -run '^$$' -fuzz '^FuzzSeedParse$$' -fuzztime $(FUZZTIME) ./fixtures
