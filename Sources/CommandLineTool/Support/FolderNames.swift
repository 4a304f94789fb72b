import Glibc

/// What is in a folder.
enum FolderNames {
    /// Sorted; empty where there is no such folder or it cannot be read.
    static func of(_ folder: String) -> [String] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var found: [String] = []
        while let entry = unsafe readdir(stream) {
            // NUL-terminated within its 256 bytes.
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { found.append(name) }
        }
        return found.sorted()
    }
}
