import DiskImages
import Glibc

/// Something that this program writes to while it backs up.
struct WrittenPlace {
    /// As part of a sentence: “the cache folder /root/.cache/holdfast”.
    var name: String
    var fileSystem: MountedFileSystem
    var remedy: String

    /// - Parameter repository: path of its folder.
    static func all(repository: String) throws(Failure) -> [WrittenPlace] {
        var places: [WrittenPlace] = []
        try places.add("the repository \(repository)", "keep it elsewhere") { () throws(ImageError) in try .holding(repository) }
        if let folder = ClientFolders.cache(EnvironmentVariable.text) {
            try places.add("the cache folder \(folder)", "name another with HOLDFAST_CACHE_DIR") { () throws(ImageError) in try .holding(folder) }
        }
        if let folder = ClientFolders.state(EnvironmentVariable.text) {
            try places.add("the state folder \(folder)", "name another with HOLDFAST_STATE_DIR") { () throws(ImageError) in try .holding(folder) }
        }
        for (descriptor, name) in [(STDOUT_FILENO, "standard output"), (STDERR_FILENO, "standard error")] where isFile(descriptor) {
            try places.add("the file that is \(name)", "write to another") { () throws(ImageError) in try .holding(descriptor: descriptor) }
        }
        return places
    }

    /// Not a terminal or a pipe.
    private static func isFile(_ descriptor: Int32) -> Bool {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
}

extension [WrittenPlace] {
    /// What lies nowhere is passed over.
    fileprivate mutating func add(_ name: String, _ remedy: String, _ holding: () throws(ImageError) -> MountedFileSystem?) throws(Failure) {
        if let fileSystem = try imageCall(holding) { append(WrittenPlace(name: name, fileSystem: fileSystem, remedy: remedy)) }
    }
}
