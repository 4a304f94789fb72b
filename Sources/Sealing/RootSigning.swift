package import Bytes
package import RepositoryFormat

/// The objects that the root key signs: `config` and `keyring/<n>`.
package enum RootSigning {
    /// Header, body, signature.
    package static func seal(_ type: ObjectType, name: String, body: [UInt8], repository: RepositoryID, key: SigningKey) -> [UInt8] {
        let signature = key.sign(message(type, name: name, body: body, repository: repository))
        return RootSignedObject.encode(type, body: body, signature: signature)
    }

    /// The body, after its signature was verified.
    package static func open(
        _ object: [UInt8], _ type: ObjectType, name: String, repository: RepositoryID, publicKey: [UInt8]
    ) throws(SealingError) -> ArraySlice<UInt8> {
        let parts: (body: ArraySlice<UInt8>, signature: ArraySlice<UInt8>)
        do throws(FormatError) { parts = try RootSignedObject.split(object, type) } catch { throw .format(error) }
        let message = message(type, name: name, body: parts.body, repository: repository)
        guard SigningKey.verify(Array(parts.signature), of: message, publicKey: publicKey) else { throw .badSignature }
        return parts.body
    }

    /// The scope of a signature is the repository; the keyspace takes no part in it.
    private static func message(_ type: ObjectType, name: String, body: some Collection<UInt8>, repository: RepositoryID) -> [UInt8] {
        let noKeyspace = KeyspaceID(RandomID([UInt8](repeating: 0, count: RandomID.byteCount)))
        return Binding(type: type, epoch: 0, scope: .repository(noKeyspace, repository), name: name).signedMessage(body)
    }
}
