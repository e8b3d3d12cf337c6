package migrations

// ChunkSize is for how many schemas ApplyAll asks at once; fifty times as many with a shared history.
func ChunkSize(n int) Option {
	return func(o *options) error {
		o.chunkSize = n
		return nil
	}
}

// RecycleAfter is after how many schemas ApplyAll gives a connection up.
func RecycleAfter(n int) Option {
	return func(o *options) error {
		o.recycleAfter = n
		return nil
	}
}
