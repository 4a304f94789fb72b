import CSodium
import TestSupport

/// libsodium's random generator, replaced by one that a seed decides: ids, salts and keys are the same in each run of a seed.
enum Randomness {
    /// Used by the thread with the baton alone.
    private nonisolated(unsafe) static var generator = SeededGenerator(seed: 0)

    /// Once, before libsodium is used for the first time.
    static func install() {
        // libsodium keeps the pointer for ever.
        let implementation = UnsafeMutablePointer<randombytes_implementation>.allocate(capacity: 1)
        unsafe implementation.initialize(
            to: randombytes_implementation(
                implementation_name: { unsafe UnsafePointer(Randomness.name) },
                random: { UInt32(truncatingIfNeeded: unsafe Randomness.generator.next()) },
                stir: {},
                uniform: nil,
                buf: { target, byteCount in unsafe Randomness.fill(target, byteCount) },
                close: { 0 }))
        precondition(unsafe randombytes_set_implementation(implementation) == 0, "libsodium takes every generator")
    }

    static func begin(seed: UInt64) { unsafe generator = SeededGenerator(seed: seed) }

    private nonisolated(unsafe) static let name: UnsafeMutablePointer<CChar> = {
        let text = UnsafeMutablePointer<CChar>.allocate(capacity: 7)
        for (place, character) in "seeded".utf8CString.enumerated() { unsafe text[place] = character }
        return unsafe text
    }()

    private static func fill(_ target: UnsafeMutableRawPointer?, _ byteCount: Int) {
        guard let target = unsafe target else { return }
        for (place, byte) in unsafe generator.bytes(byteCount).enumerated() { unsafe target.storeBytes(of: byte, toByteOffset: place, as: UInt8.self) }
    }
}
