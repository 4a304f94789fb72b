import Bytes
import RepositoryFormat
import Testing

struct ObjectHeaderTests {
    private static let salt = Digest([UInt8](repeating: 5, count: 32))

    private static func refusal(_ types: ObjectType = .manifest, _ change: (inout [UInt8]) -> Void) -> FormatError? {
        var bytes = ObjectHeader(type: .manifest, epoch: 1, salt: salt).encoded
        change(&bytes)
        do throws(FormatError) {
            _ = try ObjectHeader(of: bytes[...], expecting: types)
            return nil
        } catch { return error }
    }

    @Test func `fields stand where the table says`() {
        let bytes = ObjectHeader(type: .abortRecord, epoch: 0x0102_0304, salt: Self.salt).encoded
        #expect(bytes == Array("HOLDFAST".utf8) + [14, 1, 1, 0, 4, 3, 2, 1] + [UInt8](repeating: 5, count: 32))
    }

    @Test func `a newer version is named before anything else is looked at`() {
        #expect(Self.refusal { $0.replaceSubrange(8..<16, with: [99, 2, 7, 1, 0, 0, 0, 0]) } == .newerFormat(version: 2))
        #expect(Self.refusal { $0 = Array($0.prefix(11)); $0[9] = 200 } == .newerFormat(version: 200))
        #expect(Self.refusal { $0[9] = 0 } == .newerFormat(version: 0))
    }

    @Test func `the suite comes before the type, the type before the rest`() {
        #expect(Self.refusal { $0[8] = 99; $0[10] = 2; $0[11] = 1 } == .unknownSuite(2))
        #expect(Self.refusal { $0[8] = 99; $0[11] = 1 } == .wrongType(found: 99, expected: .manifest))
        #expect(Self.refusal { $0[8] = ObjectType.mark.rawValue } == .wrongType(found: 8, expected: .manifest))
        #expect(Self.refusal { $0[11] = 1; $0[12] = 0 } == .layout(.invalid(field: "reserved")))
        #expect(Self.refusal { $0[0] = 0 } == .notAnObject)
        #expect(Self.refusal { $0 = [] } == .notAnObject)
    }

    @Test(arguments: ObjectType.allCases) func `the epoch is 0 for config, keyring and key slot, and for nothing else`(type: ObjectType) {
        let isWithout = [.config, .keyring, .keySlot].contains(type)
        for epoch in [UInt32(0), 1, .max] {
            let header = ObjectHeader(type: type, epoch: epoch, salt: Self.salt)
            let decoded = try? ObjectHeader(of: header.encoded[...], expecting: type)
            #expect(decoded == ((epoch == 0) == isWithout ? header : nil))
        }
    }
}

struct RootSignedObjectTests {
    private static let object = RootSignedObject.encode(.config, body: Array("{}".utf8), signature: [UInt8](repeating: 3, count: 64))

    @Test func `body and signature come apart again`() throws {
        let parts = try RootSignedObject.split(Self.object, .config)
        #expect(Array(parts.body) == Array("{}".utf8))
        #expect(Array(parts.signature) == [UInt8](repeating: 3, count: 64))
    }

    @Test func `an object without room for body and signature is refused`() {
        for byteCount in 0...112 { #expect(throws: FormatError.self) { try RootSignedObject.split(Array(Self.object.prefix(byteCount)), .config) } }
    }

    @Test func `a salt or an epoch is refused, as is another type`() {
        for index in 12..<48 {
            var bytes = Self.object
            bytes[index] = 1
            #expect(throws: FormatError.self) { try RootSignedObject.split(bytes, .config) }
        }
        #expect(throws: FormatError.self) { try RootSignedObject.split(Self.object, .keyring) }
    }
}

struct SignedDocumentTests {
    @Test func `slot, signature and body come apart again, and less than both is refused`() throws {
        let document = SignedDocument(slot: SlotID(RandomID([UInt8](1...16))), signature: [UInt8](repeating: 9, count: 64), body: [1, 2, 3])
        #expect(document.encoded.count == 83)
        #expect(try SignedDocument(decoding: document.encoded) == document)
        for byteCount in 0..<80 { #expect(throws: FormatError.self) { try SignedDocument(decoding: Array(document.encoded.prefix(byteCount))) } }
        #expect(try SignedDocument(decoding: Array(document.encoded.prefix(80))).body.isEmpty)
    }
}

struct BindingTests {
    private static let keyspace = KeyspaceID(RandomID([UInt8](repeating: 1, count: 16)))
    private static let repository = RepositoryID(RandomID([UInt8](repeating: 2, count: 16)))

    /// Whatever may differ, differs in the bytes.
    @Test func `two bindings that differ have other associated data`() {
        var all: [Binding] = []
        let others = (KeyspaceID(RandomID([UInt8](repeating: 3, count: 16))), RepositoryID(RandomID([UInt8](repeating: 4, count: 16))))
        let scopes: [Binding.Scope] = [.keyspace(Self.keyspace), .keyspace(others.0), .repository(Self.keyspace, Self.repository), .repository(others.0, Self.repository), .repository(Self.keyspace, others.1)]
        for type in ObjectType.allCases {
            for scope in scopes {
                for epoch in [UInt32(0), 1, 256] {
                    for name in ["", "a", "ab", "snapshots/1"] { all.append(Binding(type: type, epoch: epoch, scope: scope, name: name)) }
                }
            }
        }
        #expect(Set(all.map(\.associatedData)).count == all.count)
    }

    @Test func `a byte cannot move between the name and the body`() {
        let message = { (name: String, body: [UInt8]) in
            Binding(type: .mark, epoch: 1, scope: .repository(Self.keyspace, Self.repository), name: name).signedMessage(body)
        }
        #expect(message("ab", [0x63]) != message("a", [0x62, 0x63]))
        #expect(message("ab", [0x63]).count == message("a", [0x62, 0x63]).count)
    }
}
