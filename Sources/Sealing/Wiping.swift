import CSodium

extension Array where Element == UInt8 {
    /// Overwrites a secret that had to pass through an array. Copies made before are not reached.
    package mutating func wipe() {
        unsafe withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { unsafe sodium_memzero(start, bytes.count) }
        }
    }
}
