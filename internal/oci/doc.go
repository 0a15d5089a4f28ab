// Package oci has the values of the OCI specifications that everything else is
// about: digests, descriptors, manifests and indexes (also Docker's), platforms,
// media types and the error codes of the distribution API. It does no I/O.
package oci
