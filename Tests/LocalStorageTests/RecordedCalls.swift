import CLinux
import Glibc
@testable import LocalStorage
import Synchronization

/// The live system calls with a log of those that matter for durability, and failures where a test wants them.
final class RecordedCalls: Sendable {
    enum Call: String, Hashable, Sendable {
        case open, openDirect, write, clearDirect, synchronizeData, link, rename, unlink, makeFolder, synchronizeFolder, nextEntry
    }

    struct Entry: Equatable, Sendable {
        let call: Call
        /// Absent for calls that name a path.
        let descriptor: Int32?
    }

    private struct State {
        var entries: [Entry] = []
        var failures: [Call: [Int32]] = [:]
        /// Names of folders by descriptor, for the order in which they are synchronised.
        var synchronizedFolders: [String] = []
    }

    private let state = Mutex(State())

    var entries: [Entry] { state.withLock { $0.entries } }
    /// Writes repeat as often as the kernel likes; here a run of them is one.
    var order: [Call] {
        entries.map(\.call).reduce(into: []) { order, call in if order.last != call || call != .write { order.append(call) } }
    }
    /// The last part of each folder's path, in the order in which they were made durable.
    var synchronizedFolders: [String] { state.withLock { $0.synchronizedFolders } }

    /// The next calls of that kind fail, one after another, with these error numbers.
    func fail(_ call: Call, with codes: Int32...) { state.withLock { $0.failures[call] = codes } }

    func forget() {
        state.withLock { $0.entries = []; $0.synchronizedFolders = [] }
    }

    private func record(_ call: Call, _ descriptor: Int32? = nil) throws(ErrorNumber) {
        let code: Int32? = state.withLock { state in
            state.entries.append(Entry(call: call, descriptor: descriptor))
            guard let codes = state.failures[call], let first = codes.first else { return nil }
            state.failures[call] = Array(codes.dropFirst())
            return first
        }
        if let code { throw ErrorNumber(code: code) }
    }

    /// - Parameter nameless: false plays a file system without O_TMPFILE.
    func calls(nameless: Bool = true) -> FileCalls {
        let live = nameless ? FileCalls.live : FileCalls.withoutNamelessFiles()
        var calls = live
        calls.open = { path, flags, mode throws(ErrorNumber) in
            if flags & O_ACCMODE == O_WRONLY { try self.record(flags & holdfast_o_direct != 0 ? .openDirect : .open) }
            return try live.open(path, flags, mode)
        }
        calls.write = { descriptor, bytes, offset throws(ErrorNumber) in
            try self.record(.write, descriptor)
            return try live.write(descriptor, bytes, offset)
        }
        calls.clearDirect = { descriptor throws(ErrorNumber) in
            try self.record(.clearDirect, descriptor)
            try live.clearDirect(descriptor)
        }
        calls.synchronizeData = { descriptor throws(ErrorNumber) in
            try self.record(.synchronizeData, descriptor)
            try live.synchronizeData(descriptor)
        }
        calls.linkDescriptor = { descriptor, path throws(ErrorNumber) in
            try self.record(.link, descriptor)
            try live.linkDescriptor(descriptor, path)
        }
        calls.link = { from, to throws(ErrorNumber) in
            try self.record(.link)
            try live.link(from, to)
        }
        calls.renameNoReplace = { from, to throws(ErrorNumber) in
            try self.record(.rename)
            try live.renameNoReplace(from, to)
        }
        calls.unlink = { path throws(ErrorNumber) in
            try self.record(.unlink)
            try live.unlink(path)
        }
        calls.makeFolder = { path throws(ErrorNumber) in
            try self.record(.makeFolder)
            try live.makeFolder(path)
        }
        calls.synchronizeFolder = { descriptor throws(ErrorNumber) in
            try self.record(.synchronizeFolder, descriptor)
            try live.synchronizeFolder(descriptor)
            let name = folderName(descriptor)
            self.state.withLock { $0.synchronizedFolders.append(name) }
        }
        calls.nextEntry = { stream throws(ErrorNumber) in
            try self.record(.nextEntry)
            return try live.nextEntry(stream)
        }
        return calls
    }
}

private func folderName(_ descriptor: Int32) -> String {
    var target = [UInt8](repeating: 0, count: 4096)
    let byteCount = unsafe target.withUnsafeMutableBytes { bytes in
        unsafe readlink("/proc/self/fd/\(descriptor)", bytes.bindMemory(to: CChar.self).baseAddress!, bytes.count)
    }
    guard byteCount > 0 else { return "" }
    return String(decoding: target.prefix(byteCount), as: UTF8.self).split(separator: "/").last.map(String.init) ?? "/"
}
