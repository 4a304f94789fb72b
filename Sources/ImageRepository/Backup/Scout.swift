import Bytes
import DiskImages
import RepositoryFormat
import Synchronization

/// Data entries of a parent's band that are read together.
struct EntryGroup: Sendable {
    var entries: Range<Int>
    /// In the image.
    var place: UInt64
    var byteCount: Int
}

/// The groups of a band, handed out in order to the scouts; no more are once one differs.
final class GroupSearch: Sendable {
    private struct State {
        var next = 0
        var matched: [Int]
        var failure: RepositoryError?
    }

    let parent: [MapEntry]
    private let groups: [EntryGroup]
    private let state: Mutex<State>

    init(_ groups: [EntryGroup], _ parent: [MapEntry]) {
        self.groups = groups
        self.parent = parent
        state = Mutex(State(matched: [Int](repeating: 0, count: groups.count)))
    }

    func take() -> (number: Int, group: EntryGroup)? {
        state.withLock { state in
            guard state.next < groups.count else { return nil }
            state.next += 1
            return (state.next - 1, groups[state.next - 1])
        }
    }

    func put(_ matchedCount: Int, _ number: Int) {
        state.withLock { state in
            state.matched[number] = matchedCount
            if matchedCount < groups[number].entries.count { state.next = groups.count }
        }
    }

    func fail(_ error: RepositoryError) {
        state.withLock { state in
            state.failure = state.failure ?? error
            state.next = groups.count
        }
    }

    func result() throws(RepositoryError) -> [Int] {
        let (matched, failure) = state.withLock { ($0.matched, $0.failure) }
        if let failure { throw failure }
        return matched
    }
}

/// Reads and compares groups. One thread at a time uses it; that is what makes it `Sendable`.
final class Scout: @unchecked Sendable {
    private let matcher: ParentMatcher
    private let reader: any ImageReader
    private let limit: RateLimit?
    private let cancellation: Cancellation
    private let buffer = AlignedBuffer(byteCapacity: Int(FormatLimits.chunkByteCountMax))

    init(_ matcher: ParentMatcher, _ reader: any ImageReader, _ limit: RateLimit?, _ cancellation: Cancellation) {
        self.matcher = matcher
        self.reader = reader
        self.limit = limit
        self.cancellation = cancellation
    }

    func search(_ search: GroupSearch) {
        do throws(RepositoryError) {
            while let (number, group) = search.take() {
                try cancellation.check()
                let isRead = try reader.fetch(at: group.place, group.byteCount, into: buffer)
                search.put(isRead ? matchedCount(group, search.parent) : 0, number)
                limit?.wait(afterReading: group.byteCount, cancellation)
            }
        } catch { search.fail(error) }
    }

    private func matchedCount(_ group: EntryGroup, _ parent: [MapEntry]) -> Int {
        var position = 0
        for number in group.entries {
            let bytes = unsafe UnsafeRawBufferPointer(start: buffer.base + position, count: Int(parent[number].byteCount))
            guard case .same = unsafe matcher.compare(parent[number], bytes) else { return number - group.entries.lowerBound }
            position += bytes.count
        }
        return group.entries.count
    }
}

extension ImageReader {
    /// Whether all of it could be read; what cannot is looked at sector by sector later.
    func fetch(at offset: UInt64, _ byteCount: Int, into buffer: AlignedBuffer) throws(RepositoryError) -> Bool {
        do throws(ImageError) {
            return try buffer.withMutableBytes(in: 0..<byteCount) { bytes throws(ImageError) in try read(at: offset, into: &bytes) } == byteCount
        } catch {
            if case .unreadable = error { return false }
            throw .image(error)
        }
    }
}
