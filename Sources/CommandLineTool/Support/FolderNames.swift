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

    /// The folders above one that need not exist, the nearest first.
    static func ancestors(of folder: String) -> [String] {
        // What does not exist yet is nowhere but below the nearest that does.
        guard let resolved = unsafe realpath(folder, nil) else {
            let parent = parent(of: folder.hasPrefix("/") ? folder : "./" + folder)
            return parent == folder ? [] : [parent] + ancestors(of: parent)
        }
        defer { unsafe free(resolved) }
        var place = unsafe String(cString: resolved)
        var found: [String] = []
        while place != "/" {
            place = parent(of: place)
            found.append(place)
        }
        return found
    }

    private static func parent(of path: String) -> String {
        var end = path.endIndex
        while end > path.index(after: path.startIndex), path[path.index(before: end)] == "/" { end = path.index(before: end) }
        guard let slash = path[..<end].lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
