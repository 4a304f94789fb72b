/// Of this program; formats have versions of their own.
enum ToolVersion {
    static let text = "0.1.0"
}
