import Glibc

/// Paths as they are recorded and compared.
enum AbsolutePath {
    /// The path with its folder's links resolved and its own kept: `/dev/disk/by-id/…` stays, and so does the name a user gave to a link.
    ///
    /// The last part need not exist; its folder must.
    static func of(_ path: String) throws(ImageError) -> String {
        let parts = path.split(separator: "/")
        guard let last = parts.last, last != ".", last != "..", !path.hasSuffix("/") else { return try resolved(path) }
        let folder = parts.count == 1 ? (path.hasPrefix("/") ? "/" : ".") : String(path.dropLast(last.count))
        let resolvedFolder = try resolved(folder)
        return resolvedFolder == "/" ? "/\(last)" : "\(resolvedFolder)/\(last)"
    }

    /// The path without any links; it must exist.
    static func resolved(_ path: String) throws(ImageError) -> String {
        guard let result = unsafe realpath(path, nil) else { throw SystemError.last.image(path, "realpath") }
        defer { unsafe free(result) }
        return unsafe String(cString: result)
    }

    static func folder(of absolutePath: String) -> String {
        guard let slash = absolutePath.lastIndex(of: "/"), slash != absolutePath.startIndex else { return "/" }
        return String(absolutePath[..<slash])
    }
}
