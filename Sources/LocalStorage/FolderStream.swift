import Glibc

/// A folder that is being read, entry by entry.
@safe
package final class FolderStream {
    private let stream: OpaquePointer
    let descriptor: Int32

    /// Takes over `descriptor` if it succeeds.
    private init(descriptor: Int32) throws(ErrorNumber) {
        guard let stream = unsafe fdopendir(descriptor) else { throw .last }
        unsafe self.stream = stream
        self.descriptor = descriptor
    }

    /// - Throws: `ENOENT` when there is no such folder, `ENOTDIR` when it is something else.
    static func open(_ path: String, calls: FileCalls) throws(ErrorNumber) -> FolderStream {
        let descriptor = try retryingInterrupts { () throws(ErrorNumber) in
            try calls.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        }
        do throws(ErrorNumber) {
            return try FolderStream(descriptor: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { unsafe closedir(stream) }

    /// The next entry's name, nil at the end. A name that is not UTF-8 comes out as one that no object can have.
    func next() throws(ErrorNumber) -> String? {
        // readdir answers nil both at the end and on an error; only errno tells them apart.
        errno = 0
        guard let entry = unsafe readdir(stream) else {
            guard errno == 0 else { throw .last }
            return nil
        }
        // Safe: the entry is valid until the next call, and its name ends with a zero byte.
        return unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
            unsafe name.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
                unsafe String(cString: $0)
            }
        }
    }
}
