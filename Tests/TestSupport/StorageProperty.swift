package import Storage

/// One sentence that must be true of every backend, and how to find out.
package struct StorageProperty: Sendable, CustomStringConvertible {
    package let description: String
    private let body: @Sendable (any StorageBackend) throws -> Void

    init(_ description: String, _ body: @escaping @Sendable (any StorageBackend) throws -> Void) {
        self.description = description
        self.body = body
    }

    /// Tries it on `backend`, which is fresh: not prepared, used by nobody before or afterwards.
    ///
    /// - Throws: `ConformanceFailure` when the sentence is not true, and what the backend throws where it should not.
    package func check(_ backend: any StorageBackend) throws {
        try body(backend)
    }
}

/// Why a backend does not conform.
package struct ConformanceFailure: Error, CustomStringConvertible {
    package let description: String
}

func require(_ condition: Bool, _ failure: @autoclosure () -> String) throws {
    if !condition { throw ConformanceFailure(description: failure()) }
}

func requireError(
    _ expected: String, _ matches: (StorageError) -> Bool, from body: () throws(StorageError) -> Void
) throws {
    do throws(StorageError) {
        try body()
    } catch {
        try require(matches(error), "it throws “\(error)” instead of \(expected)")
        return
    }
    throw ConformanceFailure(description: "it throws nothing instead of \(expected)")
}
