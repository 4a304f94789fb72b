import RepositoryFormat
import Sealing

/// Walks along a parent's entries beside the bytes of a band, and says where they still agree.
struct ParentPosition {
    private let entries: [MapEntry]
    private var index = 0
    /// Where the entry at `index` begins.
    private var start = 0

    init(_ entries: [MapEntry]) { self.entries = entries }

    /// The parent's data entry that begins at `position` and whose fingerprint these bytes have; positions never go back.
    mutating func match(at position: Int, in bytes: UnsafeRawBufferPointer, to limit: Int, _ member: MemberKeys) -> MapEntry? {
        while index < entries.count, start < position {
            start += Int(entries[index].byteCount)
            index += 1
        }
        guard index < entries.count, start == position else { return nil }
        let entry = entries[index]
        guard entry.kind == .data, position + Int(entry.byteCount) <= limit else { return nil }
        let range = unsafe UnsafeRawBufferPointer(rebasing: bytes[position..<position + Int(entry.byteCount)])
        return unsafe member.fingerprint(range) == entry.fingerprint ? entry : nil
    }
}
