public import Bytes

/// What the holder of a slot's key can do with it.
public enum Role: String, Sendable, CaseIterable {
    /// Backs up, deduplicates and lists; cannot read any data back, not even its own.
    case backup
    /// Everything.
    case full

    public var defaultCapabilities: [String] {
        switch self {
        case .backup: [Capability.write.rawValue]
        case .full: Capability.allCases.map(\.rawValue)
        }
    }
}

/// What a slot's signature is accepted for.
public enum Capability: String, Sendable, CaseIterable {
    case write
    case forgetOwn = "forget_own"
    case forgetAny = "forget_any"
    case prune
    case restore
    case keys
}

/// One state of the list of slots, `keyring/<n>`. A later number replaces an earlier one. Section: Specs/format/keys.md.
public struct Keyring: Equatable, Sendable {
    public struct Slot: Equatable, Sendable {
        public var id: SlotID
        /// Ed25519; verifies what the slot signs.
        public var publicKey: [UInt8]
        public var role: Role
        /// As text: a slot may have capabilities that this program does not know.
        public var capabilities: [String]
        /// SHA-256 of the object `keys/<id>`.
        public var keyDigest: Digest
        public var label: String
        /// RFC 3339, UTC.
        public var created: String

        public init(
            id: SlotID, publicKey: [UInt8], role: Role, capabilities: [String], keyDigest: Digest, label: String, created: String
        ) {
            self.id = id
            self.publicKey = publicKey
            self.role = role
            self.capabilities = capabilities
            self.keyDigest = keyDigest
            self.label = label
            self.created = created
        }

        public func may(_ capability: Capability) -> Bool { capabilities.contains(capability.rawValue) }
    }

    /// A slot that no longer opens. Of what it signed, the manifests listed here are still accepted, and no others.
    public struct RetiredSlot: Equatable, Sendable {
        public struct AcceptedManifest: Equatable, Sendable {
            public var snapshot: SnapshotID
            /// SHA-256 of the object `snapshots/<id>`.
            public var digest: Digest

            public init(snapshot: SnapshotID, digest: Digest) { (self.snapshot, self.digest) = (snapshot, digest) }
        }

        public var slot: Slot
        public var manifests: [AcceptedManifest]

        public init(slot: Slot, manifests: [AcceptedManifest]) { (self.slot, self.manifests) = (slot, manifests) }
    }

    public var number: UInt64
    /// SHA-256 of the object `keyring/<number − 1>`; nil for number 0.
    public var previous: Digest?
    public var repository: RepositoryID
    public var slots: [Slot]
    public var retired: [RetiredSlot]
    /// Member epochs in use, oldest first. Format 1 has exactly epoch 1.
    public var epochs: [UInt32]
    public var requiredFeatures: FeatureSet

    public init(
        number: UInt64, previous: Digest?, repository: RepositoryID, slots: [Slot], retired: [RetiredSlot], epochs: [UInt32],
        requiredFeatures: FeatureSet
    ) {
        self.number = number
        self.previous = previous
        self.repository = repository
        self.slots = slots
        self.retired = retired
        self.epochs = epochs
        self.requiredFeatures = requiredFeatures
    }

    public func slot(_ id: SlotID) -> Slot? { slots.first { $0.id == id } }

    public var body: [UInt8] {
        let json: JSONValue = [
            "number": .count(number),
            "previous": .text(previous?.hexadecimal),
            "repository_id": .string(repository.hexadecimal),
            "slots": .array(slots.map(\.json)),
            "retired": .array(
                retired.map { retired in
                    [
                        "slot": retired.slot.json,
                        "manifests": .array(
                            retired.manifests.map {
                                ["snapshot_id": .string($0.snapshot.hexadecimal), "digest": .string($0.digest.hexadecimal)]
                            }),
                    ]
                }),
            "epochs": .array(epochs.map { .count($0) }),
            "required_features": requiredFeatures.json,
        ]
        return json.encoded
    }

    public init(body: some Collection<UInt8>) throws(FormatError) {
        let json = try JSONValue(parsing: body)
        number = try json.count("number", limit: UInt64(Int64.max))
        previous = try json.optionalDigest("previous")
        guard (previous == nil) == (number == 0) else { throw .member("previous") }
        repository = RepositoryID(try json.randomID("repository_id"))
        slots = []
        for slot in try json.array("slots", limit: FormatLimits.slotCountMax) { slots.append(try Slot(slot)) }
        retired = []
        for entry in try json.array("retired", limit: FormatLimits.slotCountMax) {
            guard let slot = entry["slot"] else { throw .member("slot") }
            var manifests: [RetiredSlot.AcceptedManifest] = []
            for manifest in try entry.array("manifests", limit: 1 << 20) {
                manifests.append(.init(snapshot: SnapshotID(try manifest.randomID("snapshot_id")), digest: try manifest.digest("digest")))
            }
            retired.append(RetiredSlot(slot: try Slot(slot), manifests: manifests))
        }
        guard Set(slots.map(\.id) + retired.map(\.slot.id)).count == slots.count + retired.count else { throw .member("slots") }
        epochs = []
        for epoch in try json.array("epochs", limit: 1024) {
            guard case .integer(let value) = epoch, let epoch = UInt32(exactly: value), epoch > epochs.last ?? 0 else { throw .member("epochs") }
            epochs.append(epoch)
        }
        guard !epochs.isEmpty else { throw .member("epochs") }
        requiredFeatures = try FeatureSet(of: json)
    }
}

extension Keyring.Slot {
    fileprivate var json: JSONValue {
        [
            "id": .string(id.hexadecimal),
            "public_key": .hexadecimal(publicKey),
            "role": .string(role.rawValue),
            "capabilities": .strings(capabilities),
            "key_digest": .string(keyDigest.hexadecimal),
            "label": .string(label),
            "created": .string(created),
        ]
    }

    fileprivate init(_ json: JSONValue) throws(FormatError) {
        id = SlotID(try json.randomID("id"))
        publicKey = try json.bytes("public_key", byteCount: 32)
        guard let role = Role(rawValue: try json.string("role")) else { throw .member("role") }
        self.role = role
        capabilities = try json.strings("capabilities", limit: 64)
        keyDigest = try json.digest("key_digest")
        label = try json.string("label")
        created = try json.string("created")
    }
}
