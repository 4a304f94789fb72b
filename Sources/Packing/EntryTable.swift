/// Index entries in memory: an open-addressing table of 32-byte places at most half full, 64 bytes a chunk. An id may have several entries.
struct EntryTable {
    private var entries = [IndexEntry](repeating: .free, count: 1024)
    /// Of entries.
    private(set) var count = 0
    /// Places are numbers below it.
    var placeCount: Int { entries.count }

    /// Places of other entries are others afterwards.
    mutating func insert(_ entry: IndexEntry) {
        if (count + 1) * 2 > entries.count { grow() }
        EntryTable.place(entry, in: &entries)
        count += 1
    }

    /// - Precondition: there is an entry at the place.
    subscript(place: Int) -> ChunkLocation { entries[place].location }

    /// The first place of an id that `matches`, in no particular order.
    func firstPlace(_ low: UInt64, _ high: UInt64, where matches: (Int) -> Bool) -> Int? {
        let mask = entries.count - 1
        var place = Int(truncatingIfNeeded: low) & mask
        while !entries[place].isFree {
            if entries[place].low == low, entries[place].high == high, matches(place) { return place }
            place = (place + 1) & mask
        }
        return nil
    }

    /// Goes through all entries, in no particular order.
    func forEach(_ body: (Int, ChunkLocation) -> Void) {
        for (place, entry) in entries.enumerated() where !entry.isFree { body(place, entry.location) }
    }

    private mutating func grow() {
        var larger = [IndexEntry](repeating: .free, count: entries.count * 2)
        for entry in entries where !entry.isFree { EntryTable.place(entry, in: &larger) }
        entries = larger
    }

    private static func place(_ entry: IndexEntry, in entries: inout [IndexEntry]) {
        let mask = entries.count - 1
        var place = Int(truncatingIfNeeded: entry.low) & mask
        while !entries[place].isFree { place = (place + 1) & mask }
        entries[place] = entry
    }
}
