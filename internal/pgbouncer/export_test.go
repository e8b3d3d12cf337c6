package pgbouncer

// What the tests need besides Start.
var (
	ConfigFile   = configFile
	FindProgram  = findProgram
	StartForever = start
)

// DebianDir is where Debian has the program.
const DebianDir = debianDir
