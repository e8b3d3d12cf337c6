package schemadb

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// maxServerTimeout is the most that the server's timeouts take: 2^31-1 milliseconds.
const maxServerTimeout = math.MaxInt32 * time.Millisecond

var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// checkNumbers checks what needs no DSN.
func (c Config) checkNumbers(p *problems) {
	if c.Port < 0 || c.Port > math.MaxUint16 {
		p.add("Port", "%d is not from 1 to 65535", c.Port)
	}
	if open := c.maxOpenConns(); c.MinConns > 0 && open > 0 && c.MinConns > open {
		p.add("MinConns", "%d connections cannot be opened, as MaxOpenConns is %d", c.MinConns, open)
	} else if idle := c.maxIdleConns(); c.MinConns > idle {
		p.add("MinConns", "%d connections would be opened and closed again, as MaxIdleConns keeps %d", c.MinConns, idle)
	}
	for _, timeout := range c.serverTimeouts() {
		if timeout.value > maxServerTimeout {
			p.add(timeout.field, "%v is more than the server takes, %v; a negative value leaves it to the server",
				timeout.value, maxServerTimeout)
		}
	}
	if b := c.RetryBackoff; b != 0 && !(b >= 1 && b <= math.MaxFloat64) {
		p.add("RetryBackoff", "%v is not a number of at least 1", b)
	}
	if c.SSLMode != "" && !slices.Contains(sslModes, c.SSLMode) {
		p.add("SSLMode", "%q is not one of %v", c.SSLMode, sslModes)
	}
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }
