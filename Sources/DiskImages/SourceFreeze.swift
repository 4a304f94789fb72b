import Glibc
import Synchronization

/// Keeps file systems frozen while their devices are read: nothing is written to them, what was written is on the device, and no journal is pending.
///
/// Whoever writes there waits, also this process: what it writes to must lie elsewhere. Life: `begin` once; then `end`, as soon as can be. If this process
/// dies, or takes longer than it may, they are thawed all the same.
public final class SourceFreeze: Sendable {
    private struct State {
        var frozen: [FrozenFileSystem] = []
        var isReleased = false
    }

    let fileSystems: [MountedFileSystem]
    private let guardian: String
    private let milliseconds: UInt64
    private let state = Mutex(State())

    /// - Parameters:
    ///   - fileSystems: each is frozen once, however often it is named.
    ///   - guardian: path of a program that becomes `FreezeGuardian` when it gets that argument.
    ///   - seconds: how long each may stay frozen.
    public init(_ fileSystems: [MountedFileSystem], guardian: String, seconds: UInt64) throws(ImageError) {
        var chains: [(fileSystem: MountedFileSystem, chain: [MountedFileSystem])] = []
        for fileSystem in fileSystems where !chains.contains(where: { $0.fileSystem == fileSystem }) { chains.append((fileSystem, try fileSystem.chain())) }
        // One that lies on another comes first: frozen, it writes to the other what was not written yet.
        self.fileSystems = chains.sorted { $0.chain.count > $1.chain.count }.map(\.fileSystem)
        self.guardian = guardian
        milliseconds = seconds * 1000
    }

    /// Returns when all are frozen. To be called once.
    ///
    /// - Throws: `.inUse` if one is frozen already; `.accessDenied`; `.unsuitable` if it cannot be frozen, or `release` was called. None is frozen then.
    public func begin() throws(ImageError) {
        do throws(ImageError) {
            for fileSystem in fileSystems {
                let next: FrozenFileSystem
                do throws(SystemError) { next = try FrozenFileSystem(fileSystem, guardian: guardian, milliseconds: milliseconds) } catch {
                    throw error.image(fileSystem.mountPoint, "freeze")
                }
                let isReleased = state.withLock { state in
                    state.frozen.append(next)
                    return state.isReleased
                }
                if isReleased { next.letGo() }
                try next.waitUntilFrozen(milliseconds: milliseconds)
                if state.withLock({ $0.isReleased }) { throw .unsuitable(path: fileSystem.mountPoint, reason: "it was thawed again at once") }
            }
        } catch {
            _ = end()
            throw error
        }
    }

    /// Has all thawed at once, without waiting; for when the backup is asked to stop. May be called from any thread at any time.
    public func release() {
        state.withLock { state in
            state.isReleased = true
            for fileSystem in state.frozen { fileSystem.letGo() }
        }
    }

    /// Thaws all; after the first time it does nothing.
    ///
    /// - Returns: a sentence for each that did not stay frozen until now, or still is.
    public func end() -> [String] {
        let frozen = state.withLock { state in
            defer { state.frozen = [] }
            return state.frozen
        }
        for fileSystem in frozen { fileSystem.letGo() }
        return frozen.compactMap { fileSystem in
            let place = fileSystem.mountPoint
            switch fileSystem.thaw() {
            case .held: return nil
            case .expired: return "\(place) was thawed after \(milliseconds / 1000) seconds, before all was read: the snapshot is not of one moment. Let it be frozen for longer with --freeze-timeout, or back up a snapshot of the device"
            case .interfered: return "somebody else thawed \(place) before all was read: the snapshot is not of one moment"
            case .stuck(let reason): return "\(place) could not be thawed (\(reason)) and may still be frozen: run “fsfreeze --unfreeze \(place)”"
            }
        }
    }
}
