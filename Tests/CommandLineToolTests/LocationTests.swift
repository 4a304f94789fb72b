import Testing

@testable import CommandLineTool

@Suite struct LocationTests {
    @Test(arguments: [
        ("/srv/backup", "/srv/backup"), ("backup", "backup"), ("./a:b", "./a:b"), ("C:/x", "C:/x"), ("file:///srv/backup", "/srv/backup"),
        ("FILE:///srv", "/srv"), ("file://localhost/srv", "/srv"), ("file:///a%20b%2Fc", "/a b/c"), ("1://x", "1://x"),
    ])
    func `paths and file URLs name folders`(text: String, path: String) throws {
        #expect(try Location(parsing: text) == .folder(path))
    }

    @Test(arguments: ["", "s3://bucket/x", "sftp://host/x", "https://host", "file://host/x", "file://srv", "file:///a%2", "file:///a%zz", "file:///a%00", "file:///%ff"])
    func `other places are refused`(text: String) {
        #expect(performing: { try Location(parsing: text) }, throws: { ($0 as? Failure)?.status == .usage })
    }
}
