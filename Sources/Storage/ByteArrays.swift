extension Array where Element == UInt8 {
    package init(copying bytes: Span<UInt8>) {
        // Safe: the pointer does not outlive the closure, and the array owns its copy.
        self = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    }
}

extension StorageBackend {
    /// `put` for bytes that are an array already.
    package func put(_ name: ObjectName, _ bytes: [UInt8]) throws(StorageError) -> PutOutcome {
        try put(name, bytes.span)
    }
}
