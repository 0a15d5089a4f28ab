package main

import "context"

func s8(ctx context.Context, b *bench) error { return nil }
