import Bytes
import Storage
import Testing

@Suite struct ObjectNameTests {
    private let digest = Hexadecimal.encode([UInt8](repeating: 0xAB, count: 32))

    @Test func `a path and its name turn into each other`() {
        for path in ["config", "keyring/0", "marks/00.17", "condemned/ff.verdict", "packs/ab/\(digest)", "maps/ab/\(digest)"] {
            #expect(ObjectName(path: path)?.path == path)
        }
    }

    @Test(arguments: [
        "", "/config", "config/", "config/a", "keyring", "keyring/", "keyring/.a", "keyring/A", "keyring/a/b", "keyring/a-b",
        "keyring/../config", "other/a", "packs/ab", "packs/ab/ab", "parity/0",
    ])
    func `what is not an object's path has no name`(_ path: String) {
        #expect(ObjectName(path: path) == nil)
    }

    @Test func `a pack is named by a digest and lies in the folder of its first byte`() {
        #expect(ObjectName(path: "packs/ac/\(digest)") == nil)
        #expect(ObjectName(path: "packs/\(digest)") == nil)
        #expect(ObjectName(path: "packs/ab/\(digest.uppercased())") == nil)
        #expect(ObjectName(path: "packs/ab/\(digest)") != nil)
    }

    @Test func `a leaf has 1 to 128 characters`() {
        #expect(ObjectName(validating: .marks, leaf: String(repeating: "a", count: 128)) != nil)
        #expect(ObjectName(validating: .marks, leaf: String(repeating: "a", count: 129)) == nil)
        #expect(ObjectName(validating: .marks, leaf: "") == nil)
        #expect(ObjectName(validating: .config, leaf: "a") == nil)
    }
}
