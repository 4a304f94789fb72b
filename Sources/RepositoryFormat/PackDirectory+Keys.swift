public import Bytes

/// The table of keys in a directory.
///
///     offset  size  field
///          0     4  key count k
///          …     …  k keys: session key id (16), recipient count r (2), r times recipient id (16) and sealed key (80)
extension PackDirectory {
    /// The data key of a writing session, sealed to those who may read data.
    public struct Key: Hashable, Sendable {
        public struct Recipient: Hashable, Sendable {
            /// First 16 bytes of the BLAKE2b-256 of the data public key.
            public var id: RandomID
            /// `crypto_box_seal` of the 32-byte key.
            public var sealedKey: [UInt8]

            public init(id: RandomID, sealedKey: [UInt8]) { (self.id, self.sealedKey) = (id, sealedKey) }
        }

        public static let sealedByteCount = 80

        public var id: SessionKeyID
        public var recipients: [Recipient]

        public init(id: SessionKeyID, recipients: [Recipient]) { (self.id, self.recipients) = (id, recipients) }
    }

    package static func byteCount(of keys: [Key]) -> Int {
        keys.reduce(4) { $0 + 18 + $1.recipients.count * (RandomID.byteCount + Key.sealedByteCount) }
    }

    package static func write(_ keys: [Key], to writer: inout ByteWriter) {
        writer.write(UInt32(keys.count))
        for key in keys {
            writer.write(key.id.id)
            writer.write(UInt16(key.recipients.count))
            for recipient in key.recipients {
                writer.write(recipient.id)
                writer.write(recipient.sealedKey)
            }
        }
    }

    package static func readKeys(_ reader: inout ByteReader) throws(DecodingError) -> [Key] {
        let count = try reader.readCount(limit: FormatLimits.keysPerPackMax, itemByteCount: 18, "key count")
        var keys: [Key] = []
        for _ in 0..<count {
            var key = Key(id: SessionKeyID(try reader.readRandomID("session key id")), recipients: [])
            let recipientCount = Int(try reader.readUInt16("recipient count"))
            guard recipientCount > 0, recipientCount <= FormatLimits.recipientsPerKeyMax else { throw .outOfBounds(field: "recipient count") }
            for _ in 0..<recipientCount {
                let id = try reader.readRandomID("recipient id")
                guard !key.recipients.contains(where: { $0.id == id }) else { throw .invalid(field: "recipient id") }
                key.recipients.append(.init(id: id, sealedKey: Array(try reader.read(byteCount: Key.sealedByteCount, "sealed key"))))
            }
            keys.append(key)
        }
        return keys
    }
}
