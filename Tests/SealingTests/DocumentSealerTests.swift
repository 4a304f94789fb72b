import Bytes
import RepositoryFormat
import Sealing
import Testing

struct DocumentSealerTests {
    private static let signingKey = SigningKey(seed: secret(String(repeating: "07", count: 32)))
    private static let slot = SlotID(RandomID(counting(from: 100, 16)))

    private static func sealer(memberSecret: UInt8 = 1, epoch: UInt32 = 1, keyspace: UInt8 = 2, repository: UInt8 = 3) -> DocumentSealer {
        var memberSecret = [UInt8](repeating: memberSecret, count: 32)
        return DocumentSealer(
            keyspace: KeyspaceID(RandomID([UInt8](repeating: keyspace, count: 16))),
            repository: RepositoryID(RandomID([UInt8](repeating: repository, count: 16))),
            member: MemberKeys(memberSecret: .moving(&memberSecret), epoch: epoch), slot: slot, signingKey: signingKey)
    }

    private static let body = Array("body".utf8)
    private static let documentTypes: [ObjectType] = ObjectType.allCases.filter { ![.config, .keyring, .keySlot].contains($0) }

    @Test(arguments: documentTypes) func `what was sealed opens, and says who wrote it`(type: ObjectType) throws {
        let sealer = Self.sealer()
        let binding = sealer.repositoryBinding(type, name: "some/name")
        let document = try sealer.open(sealer.seal(Self.body, binding), binding)
        #expect(Array(document.body) == Self.body)
        #expect(document.slot == Self.slot)
        #expect(SigningKey.verify(document.signature, of: binding.signedMessage(document.body), publicKey: Self.signingKey.publicKey))
    }

    /// Not even when somebody writes another type into the header.
    @Test(arguments: documentTypes) func `what was sealed as one type never opens as another`(type: ObjectType) {
        let sealer = Self.sealer()
        let object = sealer.seal(Self.body, sealer.repositoryBinding(type, name: "n"))
        for other in Self.documentTypes where other != type {
            var relabelled = object
            relabelled[8] = other.rawValue
            let binding = sealer.repositoryBinding(other, name: "n")
            #expect(throws: SealingError.notAuthentic) { try sealer.open(relabelled, binding) }
            #expect(throws: SealingError.format(.wrongType(found: type.rawValue, expected: other))) { try sealer.open(object, binding) }
            #expect(throws: SealingError.notAuthentic) {
                try sealer.openPart(object.dropFirst(48), salt: Digest(object[16..<48]), epoch: 1, sealer.keyspaceBinding(other))
            }
        }
    }

    @Test func `another name, scope, repository, keyspace, epoch or member secret opens nothing`() throws {
        let sealer = Self.sealer()
        let binding = sealer.repositoryBinding(.manifest, name: "snapshots/1")
        let object = sealer.seal(Self.body, binding)
        _ = try sealer.open(object, binding)
        for name in ["", "snapshots/2", "snapshots/", "snapshots/1 "] {
            #expect(throws: SealingError.notAuthentic) { try sealer.open(object, sealer.repositoryBinding(.manifest, name: name)) }
        }
        for other in [Self.sealer(memberSecret: 9), Self.sealer(epoch: 2), Self.sealer(keyspace: 9), Self.sealer(repository: 9)] {
            #expect(throws: SealingError.notAuthentic) { try other.open(object, other.repositoryBinding(.manifest, name: "snapshots/1")) }
            var relabelled = object
            relabelled[12] = UInt8(other.member.epoch)
            #expect(throws: SealingError.notAuthentic) { try other.open(relabelled, other.repositoryBinding(.manifest, name: "snapshots/1")) }
        }
        #expect(throws: SealingError.notAuthentic) { try sealer.open(object, sealer.keyspaceBinding(.manifest)) }
    }

    @Test func `parts of packs open in another repository with the same keys, and nothing else does`() throws {
        let (sealer, sibling) = (Self.sealer(), Self.sealer(repository: 9))
        let part = sealer.sealPart(Self.body, sealer.keyspaceBinding(.dataDirectory))
        let document = try sibling.openPart(part.sealed[...], salt: part.salt, epoch: 1, sibling.keyspaceBinding(.dataDirectory))
        #expect(Array(document.body) == Self.body)
    }

    @Test func `every changed byte and every lost byte is noticed`() {
        let sealer = Self.sealer()
        let binding = sealer.repositoryBinding(.mark, name: "n")
        let object = sealer.seal(Self.body, binding)
        for index in object.indices {
            for bit in 0..<8 {
                var changed = object
                changed[index] ^= 1 << UInt8(bit)
                #expect(throws: SealingError.self) { try sealer.open(changed, binding) }
            }
        }
        for byteCount in object.indices { #expect(throws: SealingError.self) { try sealer.open(Array(object.prefix(byteCount)), binding) } }
        #expect(throws: SealingError.self) { try sealer.open(object + [0], binding) }
    }

    @Test func `a sealed plaintext too short for a signature is refused`() {
        let sealer = Self.sealer()
        let binding = sealer.repositoryBinding(.mark, name: "n")
        let salt = Digest(counting())
        let key = OneTimeKey.derive(base: sealer.member.metadataKey, type: .mark, salt: salt)
        let sealed = AuthenticatedCipher.seal([UInt8](repeating: 1, count: 79), key: key, associatedData: binding.associatedData)
        #expect(throws: SealingError.format(.layout(.truncated(field: "signature")))) { try sealer.openPart(sealed[...], salt: salt, epoch: 1, binding) }
    }

    @Test func `the same document is sealed differently each time`() {
        let sealer = Self.sealer()
        let binding = sealer.repositoryBinding(.mark, name: "n")
        #expect(sealer.seal(Self.body, binding) != sealer.seal(Self.body, binding))
    }
}

struct DocumentVerifierTests {
    private static let key = SigningKey(seed: secret(String(repeating: "01", count: 32)))
    private static let repository = RepositoryID(RandomID(sixteen(from: 0)))
    private static let snapshot = SnapshotID(RandomID(sixteen(from: 9)))
    private static let digest = Digest(counting())

    private static func sixteen(from first: UInt8) -> [UInt8] { (UInt8(0)..<16).map { first &+ $0 } }

    private static func slot(_ number: UInt8, _ capabilities: [Capability]) -> Keyring.Slot {
        Keyring.Slot(
            id: SlotID(RandomID(sixteen(from: number))), publicKey: key.publicKey, role: .backup, capabilities: capabilities.map(\.rawValue),
            keyDigest: digest, label: "", created: "")
    }

    /// Slots 1 (write), 2 (prune), 3 (nothing), and 4, retired with one manifest.
    private static let verifier = DocumentVerifier(
        keyring: Keyring(
            number: 0, previous: nil, repository: repository, slots: [slot(1, [.write]), slot(2, [.prune]), slot(3, [])],
            retired: [.init(slot: slot(4, Capability.allCases), manifests: [.init(snapshot: snapshot, digest: digest)])], epochs: [1], requiredFeatures: .none))

    private static func verdict(_ number: UInt8, _ demand: DocumentVerifier.Demand, by signer: SigningKey = key) -> SealingError? {
        let binding = Binding(type: .mark, epoch: 1, scope: .repository(KeyspaceID(repository.id), repository), name: "n")
        let document = SignedDocument(slot: SlotID(RandomID(sixteen(from: number))), signature: signer.sign(binding.signedMessage([5])), body: [5])
        do throws(SealingError) {
            try verifier.verify(document, binding, demand)
            return nil
        } catch { return error }
    }

    @Test func `a capability counts for the slot that has it, and not for a retired one`() {
        #expect(verdicts(.capability(.write)) == [nil, .unknownSigner, .unknownSigner, .unknownSigner, .unknownSigner])
        #expect(verdicts(.capability(.prune)) == [.unknownSigner, nil, .unknownSigner, .unknownSigner, .unknownSigner])
    }

    @Test func `what is verified by its content is taken from every slot of the keyring`() {
        #expect(verdicts(.anySlot) == [nil, nil, nil, nil, .unknownSigner])
    }

    @Test func `a manifest needs the right to write, or to be listed with its digest`() {
        #expect(verdicts(.manifest(Self.snapshot, objectDigest: Self.digest)) == [nil, .unknownSigner, .unknownSigner, nil, .unknownSigner])
        let otherDigest = Digest([UInt8](repeating: 1, count: 32))
        #expect(Self.verdict(4, .manifest(Self.snapshot, objectDigest: otherDigest)) == .unknownSigner)
        #expect(Self.verdict(4, .manifest(SnapshotID(RandomID(Self.sixteen(from: 77))), objectDigest: Self.digest)) == .unknownSigner)
    }

    @Test func `a signature by another key is refused`() {
        #expect(Self.verdict(1, .anySlot, by: SigningKey(seed: secret(String(repeating: "02", count: 32)))) == .badSignature)
    }

    private func verdicts(_ demand: DocumentVerifier.Demand) -> [SealingError?] { (1...5).map { Self.verdict($0, demand) } }
}

struct RootSigningTests {
    private static let key = SigningKey(seed: secret(String(repeating: "0a", count: 32)))
    private static let repository = RepositoryID(RandomID(counting(from: 1, 16)))
    private static let body = Array("{}".utf8)
    private static let object = RootSigning.seal(.keyring, name: "keyring/3", body: body, repository: repository, key: key)

    private static func open(_ object: [UInt8], _ type: ObjectType = .keyring, name: String = "keyring/3", repository: RepositoryID = repository, publicKey: [UInt8] = key.publicKey) throws -> [UInt8] {
        Array(try RootSigning.open(object, type, name: name, repository: repository, publicKey: publicKey))
    }

    @Test func `what the root key signed opens under its own name only`() throws {
        #expect(try Self.open(Self.object) == Self.body)
        #expect(throws: SealingError.badSignature) { try Self.open(Self.object, name: "keyring/4") }
        #expect(throws: SealingError.badSignature) { try Self.open(Self.object, repository: RepositoryID(RandomID(counting(from: 2, 16)))) }
        #expect(throws: SealingError.badSignature) { try Self.open(Self.object, publicKey: SigningKey.random().publicKey) }
        var relabelled = Self.object
        relabelled[8] = ObjectType.config.rawValue
        #expect(throws: SealingError.badSignature) { try Self.open(relabelled, .config) }
    }

    @Test func `every changed byte is noticed`() {
        for index in Self.object.indices {
            var changed = Self.object
            changed[index] ^= 0x20
            #expect(throws: SealingError.self) { try Self.open(changed) }
        }
    }
}
