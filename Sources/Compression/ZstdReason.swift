import CZstd

/// What zstd says about a result that is an error.
func zstdReason(_ result: Int) -> String {
    // The name is a constant of the library, or "Unspecified error code"; it is never null and never freed.
    unsafe String(cString: ZSTD_getErrorName(result))
}
