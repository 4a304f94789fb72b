import CXXHash

/// XXH3-64, for files of this machine: finds accidents, not attacks.
package enum Checksum {
    package static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 { unsafe holdfast_xxh3_64(bytes.baseAddress, bytes.count) }
}
