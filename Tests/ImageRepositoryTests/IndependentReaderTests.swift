import Bytes
import Foundation
import ImageRepository
import LocalStorage
import RepositoryFixtures
import RepositoryFormat
import Sealing
import Storage
import TestSupport
import Testing

/// The reader in `Specs/reader`, made from the format's pages alone, against what this program writes.
///
/// Runs if `HOLDFAST_READER_PYTHON` names a Python that has what `Specs/reader/requirements.txt` lists.
@Suite(.enabled(if: IndependentReader.python != nil))
struct IndependentReaderTests {
    @Test func `another program restores and verifies what this one stored`() throws {
        let folder = TemporaryFolder()
        let place = folder.path + "/repository"
        let storage = LocalStorage(path: place)
        let fixture = try RepositoryFixture(storage)
        let reader = IndependentReader(folder: folder, repository: place)
        let credential = try reader.credential(["--key-file"], Data(fixture.keyFile.line))

        // Two images of which one changes: new data, reused subtrees, an odd end, zeros, and nothing at all.
        var first = TestImages.mixed(byteCount: 40 << 20 | 777, seed: 11)
        let second = TestImages.mixed(byteCount: 3 << 20, seed: 12)
        var expected: [(snapshot: Snapshot, image: String, bytes: [UInt8])] = []
        func store(_ bytes: [UInt8], _ name: String) throws {
            expected.append((try fixture.backup(bytes, name: name).snapshot, name, bytes))
        }
        try store(first, "first")
        try store(second, "second")
        for index in stride(from: 20 << 20, to: 21 << 20, by: 4096) { first[index] ^= 0xFF }
        for index in 5 << 20..<7 << 20 { first[index] = 0 }
        try store(first, "first")
        try store([], "empty")
        try store([UInt8](repeating: 0, count: 33 << 20), "zeros")
        #expect(try fixture.check(.all).problems == [])

        for (number, one) in expected.enumerated() {
            let target = "\(folder.path)/\(number)"
            try reader.run(credential + ["restore", one.snapshot.id.hexadecimal, "--image", one.image, target])
            #expect(try [UInt8](Data(contentsOf: URL(filePath: target))) == one.bytes, "\(one.image) is not what was stored")
        }
        try reader.run(credential + ["check", "--jobs", "1"])
        let listed = try reader.run(credential + ["list"]).split(separator: "\n")
        #expect(listed.count == expected.count)
        for (line, one) in zip(listed, expected) { #expect(line.contains(one.snapshot.id.hexadecimal)) }

        // The recovery key by its words, and one byte of the last pack turned.
        let words = Data(fixture.recoveryKey.words.joined(separator: " ").utf8)
        let recovery = try reader.credential(["--key-file"], words)
        try reader.run(recovery + ["restore", "latest", "\(folder.path)/latest"])
        #expect(try [UInt8](Data(contentsOf: URL(filePath: "\(folder.path)/latest"))) == expected.last?.bytes)
        let pack = try #require(try storage.list(.packs).min { $0.name.leaf < $1.name.leaf })
        let file = URL(filePath: "\(place)/\(pack.name.path)")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file)
        #expect(throws: IndependentReader.Failure.self) { try reader.run(credential + ["check", "--jobs", "1"]) }
    }

    @Test func `another program opens what is under a password, and takes marks and keys as this one does`() throws {
        let folder = TemporaryFolder()
        let place = folder.path + "/repository"
        let fixture = try RepositoryFixture(LocalStorage(path: place))
        let reader = IndependentReader(folder: folder, repository: place)
        let full = try reader.credential(["--key-file"], Data(fixture.keyFile.line))
        let bytes = TestImages.mixed(byteCount: 2 << 20, seed: 13)
        let kept = try fixture.backup(bytes).snapshot
        let hidden = try fixture.backup(bytes).snapshot
        try fixture.repository.mark([hidden], .forget)
        try fixture.repository.mark([kept], .protect)

        var password = Array("pässword".utf8)
        let slot = try fixture.repository.addSlot(role: .backup, credential: .password(.moving(&password)), cost: .moderate, label: "backup")
        let limited = try reader.credential(["--password-file"], Data("pässword\n".utf8))
        try reader.run(limited + ["check", "--jobs", "1"])
        #expect(throws: IndependentReader.Failure.self) { try reader.run(limited + ["restore", "latest", "\(folder.path)/never"]) }

        try reader.run(full + ["restore", "latest", "\(folder.path)/latest"])
        #expect(try [UInt8](Data(contentsOf: URL(filePath: "\(folder.path)/latest"))) == bytes)
        let listed = try reader.run(full + ["list"])
        #expect(listed.split(separator: "\n").contains { $0.contains(hidden.id.hexadecimal) && $0.contains("\"forgotten\": true") })
        #expect(listed.split(separator: "\n").contains { $0.contains(kept.id.hexadecimal) && $0.contains("\"protected\": true") })

        try fixture.repository.removeSlot(slot)
        #expect(throws: IndependentReader.Failure.self) { try reader.run(limited + ["list"]) }
        try reader.run(full + ["check", "--jobs", "1"])
    }
}

/// Runs the reader on one repository.
private struct IndependentReader {
    struct Failure: Error, CustomStringConvertible { var description: String }

    static let python = ProcessInfo.processInfo.environment["HOLDFAST_READER_PYTHON"]
    private static let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Specs/reader/holdfast-reader").standardizedFileURL.path

    let folder: TemporaryFolder
    let repository: String

    /// Writes the credential to a file and returns the option that names it.
    func credential(_ option: [String], _ contents: Data) throws -> [String] {
        let path = "\(folder.path)/credential.\(UUID().uuidString)"
        try contents.write(to: URL(filePath: path))
        return option + [path]
    }

    /// What it prints. Throws what it complains of if it does not succeed.
    @discardableResult
    func run(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: IndependentReader.python ?? "")
        process.arguments = [IndependentReader.script, "--repository", repository] + arguments
        process.environment = ["PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
        // Into files: a pipe that fills up would stop a process that is waited for.
        let (output, complaints) = ("\(folder.path)/output", "\(folder.path)/complaints")
        for path in [output, complaints] { try Data().write(to: URL(filePath: path)) }
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: output))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: complaints))
        try process.run()
        process.waitUntilExit()
        let told = String(decoding: try Data(contentsOf: URL(filePath: complaints)), as: UTF8.self)
        guard process.terminationStatus == 0 else { throw Failure(description: "status \(process.terminationStatus): \(told)") }
        return String(decoding: try Data(contentsOf: URL(filePath: output)), as: UTF8.self)
    }
}
