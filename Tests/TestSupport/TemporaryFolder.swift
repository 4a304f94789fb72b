import Foundation

/// A folder of its own for one test, removed with all its contents at the end.
package final class TemporaryFolder: Sendable {
    package let path: String

    /// - Parameter inMemory: whether it may be where synchronising costs nothing.
    package init(inMemory: Bool = false) {
        let sharedMemory = URL(filePath: "/dev/shm")
        let isInMemory = inMemory && FileManager.default.isWritableFile(atPath: sharedMemory.path)
        let url = (isInMemory ? sharedMemory : FileManager.default.temporaryDirectory).appending(path: "holdfast-tests-\(UUID().uuidString)")
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        } catch {
            fatalError("no folder for a test: \(error)")
        }
        path = url.path(percentEncoded: false)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { print("left behind: \(path) (\(error))") }
    }
}
