import Bytes
import Glibc

/// The temporary files that dead writers left behind, on file systems where a new file must have a name from the start.
///
/// A temporary file is named `.new-<host>-<random>` and locked while its writer lives, so one that can be locked has none.
/// Locks may be known to one machine only, so each machine removes only its own.
enum Leftovers {
    static func newName() -> String {
        let random = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        return ownPrefix + Hexadecimal.encode(random)
    }

    /// False when another process has locked the file. True also where there are no locks at all.
    static func lock(_ descriptor: Int32, calls: FileCalls) throws(ErrorNumber) -> Bool {
        do throws(ErrorNumber) {
            try calls.tryLock(descriptor)
            return true
        } catch {
            switch error.code {
            case EAGAIN, EACCES: return false
            case ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL: return true
            default: throw error
            }
        }
    }

    /// Removes this machine's leftovers from a folder.
    static func remove(from folder: String, calls: FileCalls) throws(ErrorNumber) {
        let stream = try FolderStream.open(folder, calls: calls)
        while let name = try calls.nextEntry(stream) {
            guard name.hasPrefix(ownPrefix) else { continue }
            do throws(ErrorNumber) {
                try removeUnlessLocked("\(folder)/\(name)", calls: calls)
            } catch {
                // Another process was faster, or it is another user's. It is in nobody's way and waits for a later writer.
                continue
            }
        }
    }

    private static func removeUnlessLocked(_ path: String, calls: FileCalls) throws(ErrorNumber) {
        let file = try OpenFile(path, flags: O_WRONLY | O_NOFOLLOW | O_NONBLOCK, calls: calls)
        do throws(ErrorNumber) {
            try calls.tryLock(file.descriptor)
        } catch {
            // Here, other than in `lock`, no lock means no proof that the writer is dead.
            return
        }
        try calls.unlink(path)
    }

    private static let ownPrefix = ".new-\(hostTag)-"

    /// 16 digits that are the same in every process of a machine: FNV-1a of its host name.
    private static var hostTag: String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var name = [CChar](repeating: 0, count: 256)
        // A machine whose name cannot be told has the name "".
        _ = unsafe gethostname(&name, name.count - 1)
        for byte in name.prefix(while: { $0 != 0 }) { hash = (hash ^ UInt64(UInt8(bitPattern: byte))) &* 0x0000_0100_0000_01B3 }
        return Hexadecimal.encode((0..<8).map { UInt8(truncatingIfNeeded: hash >> (56 - 8 * UInt64($0))) })
    }
}
