import ArgumentParser
import DiskImages

/// Who tells a backup what changed since the one before it.
struct ChangeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Read only what FILE calls changed since the snapshot that it names; lines of OFFSET BYTE_COUNT data|zero|same. For a single source.", valueName: "file"),
        completion: .file())
    var changedMap: String?

    @Option(
        help: ArgumentHelp(
            "Read only what this dirty bitmap of QEMU names, which began with the snapshot before (see --next-bitmap); for sources of NBD servers.", valueName: "name"))
    var dirtyBitmap: String?

    @Option(
        help: ArgumentHelp("The dirty bitmap that began at the moment of this backup, for the next one to use. Every name is used once.", valueName: "name"))
    var nextBitmap: String?

    @Option(
        help: ArgumentHelp("How much of what is called unchanged is read all the same, at random, and compared; besides what is known to be metadata.", valueName: "share"),
        transform: ArgumentValues.auditShare)
    var audit: Double = 0.01

    func validate() throws {
        if changedMap != nil, dirtyBitmap != nil || nextBitmap != nil { throw ValidationError("--changed-map and dirty bitmaps exclude each other.") }
        for text in [changedMap, dirtyBitmap, nextBitmap] where text == "" { throw ValidationError("Names of bitmaps and maps must not be empty.") }
        for text in [dirtyBitmap, nextBitmap] where (text?.utf8.count ?? 0) > 1023 { throw ValidationError("Names of bitmaps have at most 1023 bytes.") }
        if let dirtyBitmap, dirtyBitmap == nextBitmap { throw ValidationError("--next-bitmap is another one than --dirty-bitmap.") }
    }

    /// - Throws: a usage error with the line that is no range.
    func trackingOfFile() throws(Failure) -> ChangeTracking? {
        guard let path = changedMap else { return nil }
        let file: ChangeMapFile
        do { file = try ChangeMapFile(path: path) } catch let error as ChangeMapFileError { throw Failure("\(path): \(error)", status: .usage) } catch {
            throw Failure("\(error)")
        }
        guard let source = file.source else {
            return ChangeTracking(kind: .map, id: "", since: nil, generation: nil, map: nil, reason: "\(path) does not say whose it is, in a line “# source: …”")
        }
        return ChangeTracking(
            kind: .map, id: source, since: file.from, generation: file.to, map: file.map,
            reason: file.from == nil ? "\(path) does not say since when, in a line “# from: …”" : nil)
    }

    /// Nil if no bitmap was named.
    func tracking(_ reader: NBDImageReader) -> ChangeTracking? {
        guard dirtyBitmap != nil || nextBitmap != nil else { return nil }
        let reason = dirtyBitmap.map { "the server has no dirty bitmap “\($0)”" } ?? "no bitmap was named"
        return ChangeTracking(
            kind: .bitmap, id: reader.exportName, since: dirtyBitmap, generation: nextBitmap, map: reader.changes, reason: reader.changes == nil ? reason : nil)
    }
}
