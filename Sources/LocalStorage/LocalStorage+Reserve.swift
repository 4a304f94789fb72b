import Glibc
public import Storage

/// A file beside the objects that takes up room, so that there is some to give away when the device is full.
extension LocalStorage {
    private static let reserveByteCount = 8 << 20

    private var reservePath: String { "\(place)/reserve" }

    public func holdReserve() throws(StorageError) {
        do throws(ErrorNumber) {
            guard try FileStatus.at(reservePath) == nil else { return }
            // As good as random: file systems that compress, or store equal blocks once, would give zeros no room. SplitMix64 (Steele, Lea, Flood
            // 2014) from one random word; a million words of the kernel's generator are a million system calls.
            var state = UInt64.random(in: .min ... .max)
            let words = (0..<LocalStorage.reserveByteCount / 8).map { _ in
                state &+= 0x9E37_79B9_7F4A_7C15
                var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
                mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
                return mixed ^ (mixed >> 31)
            }
            let bytes = unsafe words.withUnsafeBytes { unsafe [UInt8]($0) }
            _ = try write(bytes.span, in: place, as: reservePath)
        } catch { throw error.storageError(object: reservePath, operation: "writing") }
        try barrier()
    }

    public func releaseReserve() throws(StorageError) -> Bool {
        do throws(ErrorNumber) {
            try calls.unlink(reservePath)
        } catch {
            if error.code == ENOENT { return false }
            throw error.storageError(object: reservePath, operation: "deleting")
        }
        changedFolders.insert(place)
        // What is freed may be used only when the file system has noted that it is free.
        try barrier()
        return true
    }
}
