import ArgumentParser
import RepositoryFormat
import Testing

@testable import CommandLineTool

@Suite struct ManualPageTests {
    @Test func `the manual has every command and option and hides what is hidden`() throws {
        let description = try JSONValue(parsing: Array(Holdfast._dumpHelp().utf8))
        let text = ManualPage(root: try #require(description["command"])).lines.joined(separator: "\n")
        for command in ["init", "backup", "snapshots", "show", "restore", "check", "stats", "diff", "key add", "key list", "key remove", "key change", "demo"] {
            #expect(text.contains("\n.SS \(command) "), "\(command)")
        }
        #expect(text.contains("\\-\\-stdin\\-command"))
        #expect(text.contains("HOLDFAST_PASSWORD_FILE"))
        #expect(!text.contains("generate"))
    }
}
