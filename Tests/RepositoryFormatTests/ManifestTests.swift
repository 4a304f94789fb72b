import Bytes
import RepositoryFormat
import Testing

struct ManifestTests {
    private static func isTaken(_ change: (inout Manifest) -> Void) -> Bool {
        var samples = Samples(seed: 10)
        var manifest = samples.manifest()
        change(&manifest)
        return (try? Manifest(body: manifest.body)) != nil
    }

    private static let node = MapSlot(kind: .node, id: ChunkID(Digest([UInt8](repeating: 1, count: 32))))
    private static let map = MapSlot(kind: .map, id: node.id)

    @Test func `the sample is taken`() { #expect(Self.isTaken { _ in }) }

    @Test func `every member must be there`() throws {
        var samples = Samples(seed: 10)
        let sample = samples.manifest().json
        var count = 0
        Self.withoutEachMember(sample) { smaller, path in
            count += 1
            // What is kept for other programs is theirs: the table's label, the file system.
            guard !path.contains("label.type"), !path.contains("file_system.type") else { return }
            #expect((try? Manifest(body: smaller.encoded)) == nil, "\(path) is missing, and nobody minds")
        }
        #expect(count > 60)
    }

    @Test func `members that are not known are passed over`() throws {
        var samples = Samples(seed: 10)
        let manifest = samples.manifest()
        guard case .object(let members) = manifest.json else { return #expect(Bool(false)) }
        let more = JSONValue.object([.init("of tomorrow", ["a": .null])] + members)
        #expect(try Manifest(body: more.encoded) == manifest)
    }

    @Test func `a feature that is not known is named before anything else is looked at`() {
        #expect(throws: FormatError.missingFeature("x", operation: .read)) {
            try Manifest(body: Array(#"{"required_features":{"read":["x"],"write":[],"prune":[]}}"#.utf8))
        }
    }

    @Test func `placements cover the image exactly`() {
        #expect(!Self.isTaken { $0.images[0].byteCount += 1 })
        #expect(!Self.isTaken { $0.images[0].byteCount -= 1 })
        #expect(!Self.isTaken { $0.images[0].volumes[1].placements[0].offset += 1 })
        #expect(!Self.isTaken { $0.images[0].volumes[1].placements[0].offset -= 1 })
        #expect(!Self.isTaken { $0.images[0].volumes.removeLast() })
        #expect(!Self.isTaken { $0.images[0].volumes[1].placements = [] })
        #expect(!Self.isTaken { $0.images[2].volumes = [] })
        #expect(Self.isTaken { $0.images[0].volumes.swapAt(0, 1) })
    }

    @Test func `a root is what the size asks for`() {
        #expect(!Self.isTaken { $0.images[0].volumes[0].root = Self.node })
        #expect(Self.isTaken { $0.images[0].volumes[0].root = .uniform(.unreadable) })
        #expect(!Self.isTaken { $0.images[1].volumes[0].root = Self.map })
        #expect(!Self.isTaken { $0.images[2].volumes[0].root = Self.map })
        #expect(!Self.isTaken { $0.images[2].volumes[0].root = .uniform(.unused) })
        #expect(!Self.isTaken { $0.images[0].volumes[0].root = MapSlot(kind: .data, id: Self.node.id) })
        #expect(!Self.isTaken { $0.attachments[0].root = Self.node })
        #expect(!Self.isTaken { $0.attachments[0].byteCount = 0 })
    }

    @Test func `sizes and numbers have limits`() {
        #expect(!Self.isTaken { $0.attachments[0].byteCount = 1 << 56 + 1; $0.attachments[0].root = .uniform(.zero) })
        #expect(Self.isTaken { $0.attachments[0].byteCount = 1 << 56; $0.attachments[0].root = .uniform(.zero) })
        #expect(!Self.isTaken { $0.images = [ImageRecord](repeating: $0.images[2], count: 1025) })
        #expect(!Self.isTaken { $0.attachments = Array(repeating: $0.attachments[0], count: 65_537) })
    }

    @Test func `no two images have one name`() { #expect(!Self.isTaken { $0.images[1].name = "a" }) }

    /// Calls `body` once for each member at any depth, with the document without it.
    private static func withoutEachMember(_ value: JSONValue, path: String = "", _ body: (JSONValue, String) -> Void) {
        switch value {
        case .object(let members):
            for index in members.indices {
                var fewer = members
                let removed = fewer.remove(at: index)
                body(.object(fewer), path + "." + removed.name)
                withoutEachMember(removed.value, path: path + "." + removed.name) { smaller, path in
                    var changed = members
                    changed[index].value = smaller
                    body(.object(changed), path)
                }
            }
        case .array(let values):
            for index in values.indices {
                withoutEachMember(values[index], path: path + "[\(index)]") { smaller, path in
                    var changed = values
                    changed[index] = smaller
                    body(.array(changed), path)
                }
            }
        default: return
        }
    }
}

struct KeyringTests {
    private static func isTaken(_ number: UInt64 = 4, _ change: (inout Keyring) -> Void) -> Bool {
        var samples = Samples(seed: 12)
        var keyring = samples.keyring(number: number)
        change(&keyring)
        return (try? Keyring(body: keyring.body)) != nil
    }

    @Test func `only the first keyring has none before it`() {
        #expect(Self.isTaken { _ in })
        #expect(!Self.isTaken { $0.previous = nil })
        #expect(!Self.isTaken(0) { $0.previous = $0.slots[0].keyDigest })
    }

    @Test func `no id stands twice, among slots or retired slots`() {
        #expect(!Self.isTaken { $0.slots[1].id = $0.slots[0].id })
        #expect(!Self.isTaken { $0.retired[0].slot.id = $0.slots[0].id })
        #expect(!Self.isTaken { $0.retired.append($0.retired[0]) })
    }

    @Test func `epochs begin at 1 and rise`() {
        for (epochs, isTaken) in [([1], true), ([2, 5], true), ([], false), ([0], false), ([1, 1], false), ([2, 1], false)] as [([UInt32], Bool)] {
            #expect(Self.isTaken { $0.epochs = epochs } == isTaken)
        }
    }

    @Test func `1024 slots are taken, one more is not`() {
        func slots(_ count: Int) -> [Keyring.Slot] {
            var samples = Samples(seed: 13)
            return (0..<count).map { _ in samples.slot(.backup) }
        }
        #expect(Self.isTaken { $0.slots = slots(1024) })
        #expect(!Self.isTaken { $0.slots = slots(1025) })
        #expect(!Self.isTaken { $0.retired = slots(1025).map { .init(slot: $0, manifests: []) } })
    }

    @Test func `capabilities are exact, whatever the role`() {
        var samples = Samples(seed: 14)
        var slot = samples.slot(.full)
        slot.capabilities = ["write", "of tomorrow"]
        #expect(slot.may(.write) && !slot.may(.restore) && !slot.may(.keys))
        #expect(Capability.allCases.allSatisfy { samples.slot(.full).may($0) })
        #expect(Capability.allCases.filter { samples.slot(.backup).may($0) } == [.write])
    }
}

struct FeatureSetTests {
    @Test func `an unknown feature refuses what it is for, and what builds on that`() {
        let features = FeatureSet(read: [], write: ["w"], prune: ["p"])
        #expect(throws: Never.self) { try features.permit(.read) }
        #expect(throws: FormatError.missingFeature("w", operation: .write)) { try features.permit(.write) }
        #expect(throws: FormatError.missingFeature("w", operation: .prune)) { try features.permit(.prune) }
        #expect(throws: FormatError.missingFeature("p", operation: .prune)) { try FeatureSet(read: [], write: [], prune: ["p"]).permit(.prune) }
    }
}

struct KeySlotTests {
    private static func refusal(_ operations: UInt32, _ byteCount: UInt64) -> FormatError? {
        var samples = Samples(seed: 15)
        do throws(FormatError) {
            _ = try KeySlot(decoding: samples.keySlot(.password(operations: operations, byteCount: byteCount)).encoded)
            return nil
        } catch { return error }
    }

    @Test func `the cost of a password has bounds`() {
        let (operations, memory) = (FormatError.layout(.outOfBounds(field: "Argon2id operations")), FormatError.layout(.outOfBounds(field: "Argon2id memory")))
        #expect(Self.refusal(3, 256 << 20) == nil)
        #expect(Self.refusal(16, 4 << 30) == nil)
        #expect(Self.refusal(2, 256 << 20) == operations)
        #expect(Self.refusal(17, 256 << 20) == operations)
        #expect(Self.refusal(.max, .max) == operations)
        #expect(Self.refusal(3, 256 << 20 - 1024) == memory)
        #expect(Self.refusal(3, 4 << 30 + 1024) == memory)
        #expect(Self.refusal(3, .max) == memory)
    }

    @Test func `memory is whole KiB`() {
        for extra in [UInt64(1), 512, 1023] { #expect(Self.refusal(3, 256 << 20 + extra) == .layout(.outOfBounds(field: "Argon2id memory"))) }
        #expect(Self.refusal(3, 256 << 20 + 1024) == nil)
    }

    @Test func `a key file has no cost`() {
        var samples = Samples(seed: 16)
        for index in 49..<64 {
            var bytes = samples.keySlot(.keyFile).encoded
            bytes[index] = 1
            #expect(throws: FormatError.self) { try KeySlot(decoding: bytes) }
        }
    }

    @Test func `every byte before the payload is authenticated`() {
        var samples = Samples(seed: 17)
        let slot = samples.keySlot(.keyFile)
        #expect(slot.associatedData(name: "keys/ab") == slot.encoded.prefix(112) + [7, 0] + Array("keys/ab".utf8))
    }
}
