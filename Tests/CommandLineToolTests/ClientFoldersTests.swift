import Testing

@testable import CommandLineTool

@Suite struct ClientFoldersTests {
    private func cache(_ variables: [String: String]) -> String? { ClientFolders.cache { variables[$0] } }
    private func state(_ variables: [String: String]) -> String? { ClientFolders.state { variables[$0] } }

    @Test func `the tool's own variable comes first, then the desktop's, then the home folder`() {
        let all = ["HOLDFAST_CACHE_DIR": "own", "HOLDFAST_STATE_DIR": "/o", "XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s", "HOME": "/h"]
        #expect(cache(all) == "own")
        #expect(state(all) == "/o")
        let desktop = all.filter { !$0.key.hasPrefix("HOLDFAST") }
        #expect(cache(desktop) == "/c/holdfast")
        #expect(state(desktop) == "/s/holdfast")
        #expect(cache(["HOME": "/h"]) == "/h/.cache/holdfast")
        #expect(state(["HOME": "/h"]) == "/h/.local/state/holdfast")
    }

    @Test func `a relative desktop folder is ignored`() {
        #expect(cache(["XDG_CACHE_HOME": "c", "HOME": "/h"]) == "/h/.cache/holdfast")
    }

    @Test func `without a home there is no folder`() {
        #expect(cache([:]) == nil)
        #expect(state([:]) == nil)
    }
}
