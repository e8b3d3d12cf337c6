package main

import (
	"fmt"
	"math"
	"strings"
)

// point is what all contenders came to with a number of tenants.
type point struct {
	tenants int
	results []result
}

// The picture's measures, in pixels.
const (
	chartWidth, chartHeight = 760, 420
	left, right             = 60, 190
	top, bottom             = 40, 50
)

// colours are of the contenders, in their order.
var colours = []string{"#1a7f37", "#cf222e", "#8250df", "#9a6700", "#57606a"}

// chart draws the curve: tenants on the x axis, which is logarithmic, and microseconds on the y axis.
func chart(points []point) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="14">Microseconds a query, by the number of tenants (4 queries each)</text>`+"\n", left)
	most := highest(points)
	axes(&b, points, most)
	for i := range points[0].results {
		var line []string
		for _, p := range points {
			line = append(line, fmt.Sprintf("%.1f,%.1f", x(points, p.tenants), y(most, p.results[i].micros)))
		}
		last := points[len(points)-1].results[i]
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`+"\n", colour, strings.Join(line, " "))
		fmt.Fprintf(&b, `<text x="%d" y="%.1f" fill="%s">%s, %.0f</text>`+"\n",
			chartWidth-right+8, label(points, most, i), colour, last.name, last.micros)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func axes(b *strings.Builder, points []point, most float64) {
	const step = 20
	for v := 0.0; v <= most; v += step {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#d0d7de"/>`+"\n", left, chartWidth-right, y(most, v), y(most, v))
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n", left-8, y(most, v)+4, v)
	}
	for _, p := range points {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", x(points, p.tenants), chartHeight-bottom+20, p.tenants)
	}
}

func x(points []point, tenants int) float64 {
	first, last := math.Log(float64(points[0].tenants)), math.Log(float64(points[len(points)-1].tenants))
	if last == first {
		return left
	}
	return left + (math.Log(float64(tenants))-first)/(last-first)*(chartWidth-left-right)
}

func y(most, micros float64) float64 {
	return chartHeight - bottom - micros/most*(chartHeight-top-bottom)
}

func highest(points []point) float64 {
	most := 1.0
	for _, p := range points {
		for _, r := range p.results {
			most = max(most, r.micros)
		}
	}
	const step = 20
	return math.Ceil(most/step) * step
}

// label is where a contender's name stands: beside the end of its line, and not on those of others.
func label(points []point, most float64, i int) float64 {
	last := points[len(points)-1].results
	const lineHeight = 15
	at := y(most, last[i].micros) + 4
	for j, other := range last {
		above := other.micros > last[i].micros || other.micros == last[i].micros && j < i
		if d := y(most, last[i].micros) - y(most, other.micros); above && d < lineHeight {
			at += lineHeight - d
		}
	}
	return at
}
