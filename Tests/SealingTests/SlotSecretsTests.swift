import Bytes
import RepositoryFormat
import Sealing
import Testing

struct SlotSecretsTests {
    private static let slot = SlotID(RandomID(counting(from: 3, 16)))

    private static func secrets(_ role: Role, epochs: [UInt32] = [1]) -> SlotSecrets {
        let (dataKeys, rootKey) = (DataKeyPair.random(), SigningKey.random())
        return SlotSecrets(
            role: role, repository: RepositoryID(RandomID(counting(from: 1, 16))), keyspace: KeyspaceID(RandomID(counting(from: 2, 16))), slot: slot,
            signingKey: .random(), memberSecrets: epochs.map { ($0, .random(byteCount: 32)) }, dataPublicKey: dataKeys.publicKey,
            rootPublicKey: rootKey.publicKey, dataKeys: role == .full ? dataKeys : nil, rootKey: role == .full ? rootKey : nil)
    }

    private static func password(_ text: String) -> Credential {
        var bytes = Array(text.utf8)
        return .password(.moving(&bytes))
    }

    private static func refusal(_ object: [UInt8], slot: SlotID = slot, _ credential: Credential) -> SealingError? {
        do throws(SealingError) {
            let decoded: KeySlot
            do throws(FormatError) { decoded = try KeySlot(decoding: object) } catch { throw .format(error) }
            _ = try SlotSecrets(opening: decoded, slot: slot, with: credential)
            return nil
        } catch { return error }
    }

    @Test(arguments: Role.allCases, [[1], [1, 2, 9]] as [[UInt32]]) func `all secrets come back`(role: Role, epochs: [UInt32]) throws {
        let (secrets, credential) = (Self.secrets(role, epochs: epochs), Credential.keyFile(.random()))
        let object = try secrets.seal(for: credential, cost: .moderate).encoded
        let opened = try SlotSecrets(opening: KeySlot(decoding: object), slot: Self.slot, with: credential)
        #expect(opened.role == role && opened.repository == secrets.repository && opened.keyspace == secrets.keyspace)
        #expect(opened.rootPublicKey == secrets.rootPublicKey && opened.dataPublicKey == secrets.dataPublicKey)
        #expect(opened.signingKey.publicKey == secrets.signingKey.publicKey)
        #expect(opened.memberSecrets.map(\.epoch) == epochs)
        #expect(opened.memberSecrets.map(\.secret.hexadecimal) == secrets.memberSecrets.map(\.secret.hexadecimal))
        #expect(opened.dataKeys?.secretKey.hexadecimal == secrets.dataKeys?.secretKey.hexadecimal)
        #expect(opened.rootKey?.seed.hexadecimal == secrets.rootKey?.seed.hexadecimal)
        #expect(object.count <= FormatLimits.keySlotByteCountMax)
    }

    @Test func `a password opens its slot, another or a key file does not`() throws {
        let object = try Self.secrets(.backup).seal(for: Self.password("open sesame"), cost: .moderate).encoded
        #expect(Self.refusal(object, Self.password("open sesame")) == nil)
        #expect(Self.refusal(object, Self.password("open sesame\n")) == .wrongPassword)
        #expect(Self.refusal(object, Self.password("")) == .wrongPassword)
        #expect(Self.refusal(object, .keyFile(.random())) == .wrongPassword)
    }

    @Test func `another key file, or the same for another slot, opens nothing`() throws {
        let file = KeyFile.random()
        let object = try Self.secrets(.full).seal(for: .keyFile(file), cost: .moderate).encoded
        #expect(Self.refusal(object, .keyFile(.random())) == .wrongPassword)
        #expect(Self.refusal(object, Self.password("x")) == .wrongPassword)
        #expect(Self.refusal(object, slot: SlotID(RandomID(counting(from: 4, 16))), .keyFile(file)) == .notAuthentic)
    }

    @Test func `every changed byte and every lost byte is noticed`() throws {
        let file = KeyFile.random()
        let object = try Self.secrets(.full).seal(for: .keyFile(file), cost: .moderate).encoded
        #expect(Self.refusal(object, .keyFile(file)) == nil)
        for index in object.indices {
            for difference in [UInt8(1), 0x80] {
                var changed = object
                changed[index] ^= difference
                #expect(Self.refusal(changed, .keyFile(file)) != nil, "byte \(index)")
            }
        }
        for byteCount in object.indices { #expect(Self.refusal(Array(object.prefix(byteCount)), .keyFile(file)) != nil) }
        #expect(Self.refusal(object + [0], .keyFile(file)) == .notAuthentic)
    }

    /// The commitment is compared before anything is opened: no second key fits a slot, whatever its cipher would allow.
    @Test func `salts and commitment are the first thing that a wrong key fails at`() throws {
        let file = KeyFile.random()
        let object = try Self.secrets(.full).seal(for: .keyFile(file), cost: .moderate).encoded
        for index in Array(16..<48) + Array(64..<112) {
            var changed = object
            changed[index] ^= 1
            #expect(Self.refusal(changed, .keyFile(file)) == .wrongPassword)
        }
        for index in 112..<object.count {
            var changed = object
            changed[index] ^= 1
            #expect(Self.refusal(changed, .keyFile(file)) == .notAuthentic)
        }
    }

    /// The bounds are checked before memory is taken: a terabyte would be refused by the machine, or kill it.
    @Test func `a cost out of bounds is refused at once`() throws {
        let object = try Self.secrets(.backup).seal(for: .keyFile(.random()), cost: .moderate).encoded
        let clock = ContinuousClock()
        let took = clock.measure {
            for (operations, memory) in [(3, 1 << 40), (UInt32.max, 256 << 20), (3, .max), (0, 0), (1, 8192), (17, 4 << 30)] as [(UInt32, UInt64)] {
                var writer = ByteWriter()
                writer.write([1, 0, 0, 0] as [UInt8])
                writer.write(operations)
                writer.write(memory)
                var changed = object
                changed.replaceSubrange(48..<64, with: writer.bytes)
                guard case .format(.layout(.outOfBounds))? = Self.refusal(changed, Self.password("x")) else {
                    Issue.record("\(operations) operations with \(memory) bytes are not refused")
                    continue
                }
            }
        }
        #expect(took < .milliseconds(200))
    }

    @Test(arguments: [[0], [1, 1], [2, 1]] as [[UInt32]]) func `epochs that do not rise from 1 are refused`(epochs: [UInt32]) throws {
        let file = KeyFile.random()
        let object = try Self.secrets(.backup, epochs: epochs).seal(for: .keyFile(file), cost: .moderate).encoded
        #expect(Self.refusal(object, .keyFile(file)) == .format(.layout(.invalid(field: "epoch"))))
    }

    @Test func `secret keys that do not fit their public keys are refused`() throws {
        let (file, dataKeys, rootKey) = (KeyFile.random(), DataKeyPair.random(), SigningKey.random())
        func refusal(dataPublicKey: [UInt8], rootPublicKey: [UInt8]) throws -> SealingError? {
            let secrets = SlotSecrets(
                role: .full, repository: RepositoryID(Self.slot.id), keyspace: KeyspaceID(Self.slot.id), slot: Self.slot, signingKey: .random(),
                memberSecrets: [(1, .random(byteCount: 32))], dataPublicKey: dataPublicKey, rootPublicKey: rootPublicKey, dataKeys: dataKeys, rootKey: rootKey)
            return Self.refusal(try secrets.seal(for: .keyFile(file), cost: .moderate).encoded, .keyFile(file))
        }
        #expect(try refusal(dataPublicKey: dataKeys.publicKey, rootPublicKey: rootKey.publicKey) == nil)
        #expect(try refusal(dataPublicKey: counting(), rootPublicKey: rootKey.publicKey) == .format(.layout(.invalid(field: "key pairs"))))
        #expect(try refusal(dataPublicKey: dataKeys.publicKey, rootPublicKey: counting()) == .format(.layout(.invalid(field: "key pairs"))))
    }
}

struct SessionDataKeyTests {
    @Test func `the recipient opens a session key, and nobody else does`() throws {
        let (keys, others) = (DataKeyPair.random(), DataKeyPair.random())
        let session = SessionDataKey(recipient: keys.publicKey)
        #expect(try keys.open(session.record).hexadecimal == session.secret.hexadecimal)
        #expect(throws: SealingError.notAuthentic) { try others.open(session.record) }
        var relabelled = session.record
        relabelled.recipients[0].id = DataKeyPair.recipientID(of: others.publicKey)
        #expect(throws: SealingError.notAuthentic) { try others.open(relabelled) }
        for index in 0..<80 {
            var changed = session.record
            changed.recipients[0].sealedKey[index] ^= 1
            #expect(throws: SealingError.notAuthentic) { try keys.open(changed) }
        }
    }
}
