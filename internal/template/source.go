package template

// Source returns which byte of the text became the byte at offset of the text expanded for schema, as for the position
// in an error of the server. What stands in for a template becomes the start of the template. It expands the text
// again, so it is for errors, not for loops.
func (s *Statement) Source(schema string, offset int) int {
	source := offset
	_, err := s.expand(schema, func(h *hole, start, end int) {
		switch {
		case offset >= end:
			source = h.end + offset - end
		case offset >= start:
			source = h.start
		}
	})
	if err != nil { // there is no expanded text that offset could be in
		source = offset
	}
	return min(max(source, 0), len(s.Text))
}
