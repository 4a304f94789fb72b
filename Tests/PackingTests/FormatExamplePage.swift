import Bytes
import RepositoryFormat
import Sealing
import Storage

extension FormatExample {
    /// All of `Specs/format/example.md`.
    func page() throws -> ExamplePage {
        var page = ExamplePage(title: "A worked example")
        page.paragraph(
            """
            A repository with one snapshot, byte by byte. Everything that is random in others is counted here: `00 01 02 …`. A test makes this page from the
            program and compares; another makes the repository anew from the page with the reader in `Specs/reader`, and restores the image.

            A block `bytes NAME` holds hexadecimal digits, and what they mean behind `#`. A block `line NAME` holds one line of text, without its end. Objects have their
            name as NAME; packs are given in parts.
            """)
        try writeSecrets(&page)
        try writeKeys(&page)
        writeMaps(&page)
        writePack(&page, dataPack, "data", chunks: "the chunk", segmentBase: "segment key of the session key")
        writePack(&page, mapPack, "map", chunks: "band map and node", segmentBase: "one-time key of the map segment key")
        writeDocuments(&page)
        return page
    }

    private func writeSecrets(_ page: inout ExamplePage) throws {
        page.heading("Secrets and ids")
        page.bytes("ids", [(repository.id.bytes, "repository id"), (keyspace.id.bytes, "keyspace id"), (slot.id.bytes, "slot id"), (snapshot.id.bytes, "snapshot id")])
        page.bytes(
            "secrets",
            [
                (FormatExample.counting(from: 0x00), "member secret of epoch 1"), (FormatExample.counting(from: 0x50), "seed of the slot's signing key"),
                (FormatExample.counting(from: 0x60), "seed of the root signing key"), (FormatExample.counting(from: 0x80), "data secret key"),
                (FormatExample.counting(from: 0xE0), "session data key"), (FormatExample.counting(from: 0xA0), "secret of the key file"),
            ])
        page.bytes(
            "public keys",
            [
                (signingKey.publicKey, "of the slot"), (rootKey.publicKey, "of the root signing key"), (dataKeys.publicKey, "data public key"),
                (DataKeyPair.recipientID(of: dataKeys.publicKey).bytes, "recipient id of the data public key"),
            ])
        page.bytes(
            "subkeys",
            (UInt64(1)...10).map { number in
                (unsafe Sodium.memberSubkey(number, of: memberSecret).withBytes { unsafe Array($0) }, "subkey \(number)")
            })
        page.bytes("fingerprint secret", unsafe Sodium.deterministicBytes(192, seed: Sodium.memberSubkey(5, of: memberSecret)).withBytes { unsafe Array($0) })
        page.paragraph("Chunk ids, fingerprints and segment digests of some plaintexts. The longest one is the bytes (7 i + 3) mod 256 for i = 0 … 999.")
        let plaintexts: [(name: String, bytes: [UInt8])] = [
            ("nothing", []), ("abc", Array("abc".utf8)), ("noise", (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }),
        ]
        for (name, plaintext) in plaintexts {
            page.bytes(
                "digests of \(name)",
                [
                    (id(plaintext, .data).digest.bytes, "chunk id, kind data"), (id(plaintext, .map).digest.bytes, "chunk id, kind map"),
                    (FormatExample.bytes(fingerprint(plaintext)), "fingerprint"),
                    (unsafe plaintext.withUnsafeBytes { unsafe member.segmentDigest($0) }.bytes, "segment digest"),
                ])
        }
    }

    private func writeKeys(_ page: inout ExamplePage) throws {
        page.heading("Keys")
        page.paragraph("The key file, and its words:")
        page.line("key file", keyFile.line)
        page.line("words", Array(keyFile.words.joined(separator: " ").utf8))
        page.paragraph("The secret S of the password `correct horse`, 3 operations, 256 MiB, and the Argon2id salt `d0 … df`:")
        var password = Array("correct horse".utf8)
        let stretched = try Credential.password(.moving(&password))
            .stretch(.password(operations: 3, byteCount: 256 << 20), salt: RandomID(FormatExample.counting(from: 0xD0, 16)))
        page.bytes("password", unsafe stretched.withBytes { unsafe Array($0) })
        page.paragraph("The key slot, of role full, opened by the key file:")
        let keySlot = try keySlot()
        let object = keySlot.encoded
        page.bytes(
            ObjectName.key(slot).path,
            FormatExample.header(object) + [
                (Array(object[48..<52]), "derivation 2, reserved"), (Array(object[52..<64]), "no operations, no memory"), (Array(object[64..<80]), "salt"),
                (Array(object[80..<112]), "key commitment"), (Array(object[112...].dropLast(16)), "sealed payload"), (Array(object.suffix(16)), "tag"),
            ])
        page.paragraph("The signed objects:")
        for (name, type, body) in [(ObjectName.config, ObjectType.config, config.body), (.keyring(0), .keyring, keyring(keySlot).body)] {
            page.line("body of \(name)", body)
            let object = RootSigning.seal(type, name: name.path, body: body, repository: repository, key: rootKey)
            page.bytes(name.path, FormatExample.header(object) + [(Array(object[48...].dropLast(64)), "body"), (Array(object.suffix(64)), "signature")])
        }
    }

    private func writeMaps(_ page: inout ExamplePage) {
        page.heading("Chunks and maps")
        page.paragraph("The image has 16 MiB of zeros, and then this chunk:")
        page.line("chunk", chunk)
        page.paragraph("So there are two bands: a slot of kind zero, and a band map of one entry.")
        let map = bandMap.encoded
        page.bytes(
            "band map",
            [
                (Array(map[0..<4]), "type 1, level 0, no flags"), (Array(map[4..<8]), "1 entry"), (Array(map[8..<9]), "data"), (Array(map[9..<13]), "30 bytes"),
                (Array(map[13..<45]), "chunk id"), (Array(map[45...]), "fingerprint"),
            ])
        let node = node.encoded
        page.bytes(
            "node",
            [(Array(node[0..<4]), "type 2, level 1"), (Array(node[4..<8]), "2 slots"), (Array(node[8..<10]), "zero, map"), (Array(node[10...]), "chunk id of the band map")])
    }

    private func writePack(_ page: inout ExamplePage, _ pack: Pack, _ name: String, chunks: String, segmentBase: String) {
        let directory = pack.directory.encoded
        let segment = pack.directory.segments[0]
        page.heading("The \(name) pack")
        page.paragraph(
            """
            One segment, not compressed: \(chunks), and zeros up to \(segment.sealedByteCount - 48) bytes. Sealed it has \(segment.sealedByteCount) bytes, of which these are the salt, the key (\(segmentBase)), the associated data,
            the first 32 of the ciphertext, and the tag.
            """)
        let sealed = pack.bytes[48..<48 + Int(segment.sealedByteCount)]
        page.bytes(
            "segment of the \(name) pack",
            [
                (pack.segmentSalt.bytes, "salt"), (unsafe pack.segmentKey.withBytes { unsafe Array($0) }, "key"),
                (sealer.keyspaceBinding(pack.directory.kind.segmentType).associatedData, "associated data"),
                (Array(sealed.dropFirst(32).prefix(32)), "ciphertext, first 32 bytes"), (Array(sealed.suffix(16)), "tag"),
            ])
        page.paragraph("The body of its directory:")
        var fields: [(bytes: [UInt8], meaning: String)] = []
        var position = 0
        func take(_ byteCount: Int, _ meaning: String) {
            fields.append((Array(directory[position..<position + byteCount]), meaning))
            position += byteCount
        }
        take(4, "kind, reserved")
        take(4, "member epoch")
        take(8, "\(pack.bytes.count) bytes in all")
        take(4, "key count")
        if !pack.directory.keys.isEmpty {
            take(16, "session key id")
            take(2, "recipient count")
            take(16, "recipient id")
            take(80, "sealed session data key: one result of many")
        }
        take(4, "segment count")
        take(4, "offset")
        take(4, "sealed byte count")
        take(4, "encoded byte count")
        take(4, "decoded byte count")
        take(4, "codec, index of the key, reserved")
        take(16, "segment digest")
        take(4, "chunk count")
        for _ in segment.chunks { take(32, "chunk id") }
        for chunk in segment.chunks { take(4, "\(chunk.byteCount) bytes") }
        page.bytes("directory of the \(name) pack", fields)
        writeDocument(&page, "directory of the \(name) pack", sealer.keyspaceBinding(pack.directory.kind.directoryType), pack.directorySalt, body: directory)
        page.paragraph("The pack is header, segment, \(pack.paddingByteCount) zeros, sealed directory, trailer:")
        page.bytes(
            "\(name) pack",
            FormatExample.header(pack.bytes) + [
                (pack.directoryObject.sealed, "sealed directory"), (Array(pack.bytes.suffix(8).prefix(4)), "its byte count"), (Array(pack.bytes.suffix(4)), "HFPD"),
                (pack.id.digest.bytes, "pack id: SHA-256 of all \(pack.bytes.count) bytes"),
            ])
    }

    /// What comes before the sealed bytes.
    private func writeDocument(_ page: inout ExamplePage, _ name: String, _ binding: Binding, _ salt: Digest, body: [UInt8]) {
        let parts = sealedDocument(body, binding, salt: salt)
        page.bytes(
            "sealing of \(name)",
            [
                (Array(binding.signedMessage(body).dropLast(body.count)), "signed, before the body"), (parts.document.signature, "signature"), (salt.bytes, "salt"),
                (unsafe parts.key.withBytes { unsafe Array($0) }, "key"), (binding.associatedData, "associated data"),
            ])
    }

    private func writeDocuments(_ page: inout ExamplePage) {
        page.heading("Documents")
        page.paragraph("The index object, its manifest and a mark. Of each the body, what goes into its signature and seal, and the whole object.")
        let body = index.encoded
        page.bytes(
            "body of index",
            [(Array(body[0..<4]), "2 packs")]
                + index.packs.flatMap { pack -> [(bytes: [UInt8], meaning: String)] in
                    let directory = pack.directory.encoded
                    var writer = ByteWriter()
                    writer.write(UInt32(directory.count))
                    return [(pack.id.digest.bytes, "pack id"), (writer.bytes, "byte count"), (directory, "directory")]
                })
        let indexBinding = sealer.repositoryBinding(.index, name: "")
        writeDocument(&page, "index", indexBinding, salt(0xB5), body: body)
        let indexObject = object(body, indexBinding, salt: salt(0xB5))
        writeObject(&page, ObjectName.index(IndexID(ObjectDigest.of(indexObject))).path, indexObject)
        for (name, type, first, body) in [
            (ObjectName.snapshot(snapshot), ObjectType.manifest, UInt8(0xB6), manifest.body), (.mark(snapshot, 0), .mark, 0xB7, mark.body),
        ] {
            let binding = sealer.repositoryBinding(type, name: name.path)
            page.line("body of \(name)", body)
            writeDocument(&page, name.path, binding, salt(first), body: body)
            writeObject(&page, name.path, object(body, binding, salt: salt(first)))
        }
    }

    private func writeObject(_ page: inout ExamplePage, _ name: String, _ object: [UInt8]) {
        page.bytes(name, FormatExample.header(object) + [(Array(object[48...].dropLast(16)), "sealed document"), (Array(object.suffix(16)), "tag")])
    }

    private static func header(_ object: [UInt8]) -> [(bytes: [UInt8], meaning: String)] {
        [
            (Array(object[0..<8]), "HOLDFAST"), (Array(object[8..<12]), "type \(object[8]), version, suite, reserved"), (Array(object[12..<16]), "member epoch"),
            (Array(object[16..<48]), "salt"),
        ]
    }

    private static func bytes(_ fingerprint: Fingerprint) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(fingerprint.low)
        writer.write(fingerprint.high)
        return writer.bytes
    }
}
