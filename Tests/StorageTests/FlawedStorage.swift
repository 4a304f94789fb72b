import Glibc
import Storage
import Synchronization

/// What a backend can get wrong.
enum StorageFlaw: CaseIterable, Sendable {
    case overwrites, overwritesAndSaysOccupied, looksThenCreates, saysOccupiedToAll
    case listsNothingWhereNothingIs, listsAllKinds, listsWrongSizes, listsSomePacks, listsPartOfAnObject
    case cutsRanges, cutsLargeObjects, ignoresTheLimit, rangeMayEndAnywhere, emptyIsAbsent
    case statThrows, deleteMissingThrows, deleteDoesNothing, deletesTheWholeKind, prepareErases
}

/// Memory with one flaw.
final class FlawedStorage: StorageBackend {
    private let flaw: StorageFlaw
    private let memory = MemoryStorage()
    private let listingCount = Mutex(0)

    init(_ flaw: StorageFlaw) { self.flaw = flaw }

    let place = "flawed"
    let capabilities = StorageCapabilities(createsAtomically: true, listsConsistently: true)

    func prepare() throws(StorageError) {
        try memory.prepare()
        if flaw == .prepareErases { for name in memory.objects.keys { try memory.delete(name) } }
    }

    func put(_ name: ObjectName, _ bytes: Span<UInt8>) throws(StorageError) -> PutOutcome {
        switch flaw {
        case .overwrites, .overwritesAndSaysOccupied:
            let outcome = try memory.put(name, bytes)
            memory.overwrite(name, with: [UInt8](copying: bytes))
            return flaw == .overwrites ? .created : outcome
        case .looksThenCreates:
            if try memory.stat(name) != nil { return .occupied }
            // Long enough for other threads to look as well.
            usleep(20_000)
            memory.overwrite(name, with: [UInt8](copying: bytes))
            return .created
        case .saysOccupiedToAll:
            _ = try memory.put(name, bytes)
            return .occupied
        case .cutsLargeObjects where bytes.count > 32 << 20:
            return try memory.put(name, bytes.extracting(first: 32 << 20))
        case .emptyIsAbsent where bytes.isEmpty:
            return .created
        default:
            return try memory.put(name, bytes)
        }
    }

    func barrier() throws(StorageError) { try memory.barrier() }

    func get(_ name: ObjectName, byteCountMax: UInt64) throws(StorageError) -> [UInt8] {
        try memory.get(name, byteCountMax: flaw == .ignoresTheLimit ? .max : byteCountMax)
    }

    func get(_ name: ObjectName, range: Range<UInt64>) throws(StorageError) -> [UInt8] {
        switch flaw {
        case .cutsRanges: return Array(try memory.get(name, range: range).prefix(4096))
        case .rangeMayEndAnywhere:
            let byteCount = try memory.stat(name)?.byteCount ?? 0
            return try memory.get(name, range: range.clamped(to: 0..<byteCount))
        default: return try memory.get(name, range: range)
        }
    }

    func stat(_ name: ObjectName) throws(StorageError) -> ObjectInfo? {
        let information = try memory.stat(name)
        if flaw == .statThrows, information == nil { throw .notFound(name) }
        return information
    }

    func list(_ kind: ObjectKind) throws(StorageError) -> [ObjectInfo] {
        switch flaw {
        case .listsNothingWhereNothingIs:
            do throws(StorageError) { return try memory.list(kind) } catch { return [] }
        case .listsAllKinds:
            var all: [ObjectInfo] = []
            for kind in ObjectKind.allCases { all += try memory.list(kind) }
            return all
        case .listsWrongSizes: return try memory.list(kind).map { ObjectInfo(name: $0.name, byteCount: $0.byteCount + 1) }
        case .listsSomePacks: return try Array(memory.list(kind).prefix(200))
        case .listsPartOfAnObject:
            let isFirst = listingCount.withLock { count in
                count += 1
                return count == 4
            }
            return try memory.list(kind).map { ObjectInfo(name: $0.name, byteCount: isFirst ? $0.byteCount / 2 : $0.byteCount) }
        default: return try memory.list(kind)
        }
    }

    func delete(_ name: ObjectName) throws(StorageError) {
        switch flaw {
        case .deleteMissingThrows where memory.objects[name] == nil: throw .notFound(name)
        case .deleteDoesNothing: return
        case .deletesTheWholeKind: for other in memory.objects.keys where other.kind == name.kind { try memory.delete(other) }
        default: try memory.delete(name)
        }
    }
}
