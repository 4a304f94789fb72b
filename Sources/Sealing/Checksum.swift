import CXXHash

/// XXH3-64, for files of this machine: finds accidents, not attacks.
package enum Checksum {
    package static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 { unsafe XXH3_64bits(bytes.baseAddress, bytes.count) }
}
