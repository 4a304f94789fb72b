import RepositoryFormat

/// Walks along a parent's entries beside the bytes of a band.
struct ParentPosition {
    private let entries: [MapEntry]
    private var index = 0
    /// Where the entry at `index` begins.
    private var start = 0

    init(_ entries: [MapEntry]) { self.entries = entries }

    /// The parent's data entry that begins at `position` and ends within `limit`; positions never go back.
    mutating func entry(at position: Int, to limit: Int) -> MapEntry? {
        while index < entries.count, start < position {
            start += Int(entries[index].byteCount)
            index += 1
        }
        guard index < entries.count, start == position else { return nil }
        let entry = entries[index]
        return entry.kind == .data && position + Int(entry.byteCount) <= limit ? entry : nil
    }
}
