// Evaluates a formula of a ScaledObject as KEDA 2.20 does: compiled against the names of the triggers, with the cast that
// keeps nil where the formula has `??`. Reads {"formula", "figures": [{trigger: number or null}]}, writes the results.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/expr-lang/expr"
)

func main() {
	var input struct {
		Formula string
		Figures []map[string]interface{}
	}
	check(json.NewDecoder(os.Stdin).Decode(&input))
	triggers := map[string]float64{}
	for _, figures := range input.Figures {
		for name := range figures {
			triggers[name] = -1
		}
	}
	program, err := expr.Compile(cast(input.Formula), expr.Env(triggers))
	check(err)
	results := make([]interface{}, len(input.Figures))
	for index, figures := range input.Figures {
		results[index], err = expr.Run(program, figures)
		check(err)
	}
	check(json.NewEncoder(os.Stdout).Encode(results))
}

func cast(formula string) string {
	if !strings.Contains(formula, "??") {
		return "float(" + formula + ")"
	}
	return "let whole = (" + formula + "); whole == nil ? nil : float(whole)"
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
