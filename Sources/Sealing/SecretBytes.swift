import CSodium

/// A secret in memory of its own: locked, surrounded by guard pages, wiped when released.
///
/// Never copied into `String`, `Data` or `[UInt8]`, never printed. Written once by its initialiser, read-only afterwards, so it can be shared.
@safe
public final class SecretBytes: @unchecked Sendable {
    public let byteCount: Int
    private let memory: UnsafeMutableRawPointer

    /// - Parameter fill: writes the secret.
    public init<Failure: Error>(byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        Sodium.prepare()
        guard let memory = unsafe sodium_malloc(max(byteCount, 1)) else { fatalError("out of lockable memory") }
        self.byteCount = byteCount
        unsafe self.memory = memory
        try unsafe fill(UnsafeMutableRawBufferPointer(start: memory, count: byteCount))
        unsafe sodium_mprotect_readonly(memory)
    }

    deinit { unsafe sodium_free(memory) }

    /// Fresh random bytes.
    public static func random(byteCount: Int) -> SecretBytes {
        unsafe SecretBytes(byteCount: byteCount) { unsafe randombytes_buf($0.baseAddress!, $0.count) }
    }

    /// Takes over `bytes` and wipes them.
    public static func moving(_ bytes: inout [UInt8]) -> SecretBytes {
        let secret = unsafe SecretBytes(byteCount: bytes.count) { target in
            unsafe bytes.withUnsafeBytes { source in unsafe target.copyMemory(from: source) }
        }
        unsafe bytes.withUnsafeMutableBytes { unsafe sodium_memzero($0.baseAddress, $0.count) }
        return secret
    }

    package func withBytes<Result, Failure: Error>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> Result) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(start: memory, count: byteCount))
    }
}
