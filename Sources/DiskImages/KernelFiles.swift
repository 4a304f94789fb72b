import Glibc

/// Reads the small files and folders below `/sys` and `/proc`.
enum KernelFiles {
    /// `mountinfo` of a machine with thousands of containers has a few MiB.
    static let byteCountMax = 64 << 20

    /// Nil when the file does not exist, or the device behind it has no such property.
    static func bytes(_ path: String) throws(ImageError) -> [UInt8]? {
        var contents: [UInt8] = []
        do throws(SystemError) {
            let file = try FileDescriptor(opening: path, flags: O_RDONLY)
            var piece = [UInt8](repeating: 0, count: 16384)
            while contents.count < byteCountMax {
                let result = unsafe Glibc.read(file.number, &piece, piece.count)
                if result == 0 { break }
                if result < 0 {
                    let error = SystemError.last
                    if error.number == EINTR { continue }
                    throw error
                }
                contents += piece[..<result]
            }
        } catch {
            switch error.number {
            // A property that may only be read by root, or that the hardware lacks, is as good as absent.
            case ENOENT, ENOTDIR, ENODEV, ENXIO, EINVAL, EIO, EACCES, EPERM, EOPNOTSUPP: return nil
            default: throw error.image(path, "read")
            }
        }
        return contents
    }

    /// The text without surrounding spaces and line ends; nil when there is none.
    static func text(_ path: String) throws(ImageError) -> String? {
        guard let contents = try bytes(path) else { return nil }
        let text = String(decoding: trimmed(contents[...]), as: UTF8.self)
        return text.isEmpty ? nil : text
    }

    static func number(_ path: String) throws(ImageError) -> UInt32? {
        try text(path).flatMap { text in UInt32(text) }
    }

    /// The names in a folder, sorted; none when the folder does not exist.
    static func names(in path: String) throws(ImageError) -> [String] {
        guard let folder = unsafe opendir(path) else {
            let error = SystemError.last
            if error.number == ENOENT || error.number == ENOTDIR { return [] }
            throw error.image(path, "opendir")
        }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            // The kernel ends every name with a zero byte within the entry.
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { place in
                unsafe place.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte <= 0x20 }
        guard let last = bytes.lastIndex(where: { !isBlank($0) }) else { return [] }
        return bytes[...last].drop(while: isBlank)
    }
}
