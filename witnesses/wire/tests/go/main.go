// What Go, in which engines are written, makes of JSON and of request targets. One question a line, one answer a line:
//
//	key NAME SPELLED      whether encoding/json takes a member SPELLED for a field NAME
//	letters               the letters beyond ASCII that it takes for an ASCII one
//	body JSON             the value of a body
//	target TARGET         path, query and the values of `fromImage` of a request
//
// Words are JSON strings. An answer is JSON, null where Go refuses.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
)

func takes(name, spelled string) bool {
	tag := reflect.StructTag(fmt.Sprintf("json:%q", name))
	kind := reflect.StructOf([]reflect.StructField{{Name: "Field", Type: reflect.TypeOf(0), Tag: tag}})
	key, _ := json.Marshal(spelled)
	value := reflect.New(kind)
	body := append(append([]byte("{"), key...), []byte(":1}")...)
	return json.Unmarshal(body, value.Interface()) == nil && value.Elem().Field(0).Int() == 1
}

func letters() string {
	var fields []reflect.StructField
	for letter := 'a'; letter <= 'z'; letter++ {
		tag := reflect.StructTag(fmt.Sprintf("json:%q", string(letter)))
		name := strings.ToUpper(string(letter))
		fields = append(fields, reflect.StructField{Name: name, Type: reflect.TypeOf(0), Tag: tag})
	}
	kind := reflect.StructOf(fields)
	var found []rune
	for letter := rune(0x80); letter <= 0x10ffff; letter++ {
		if letter >= 0xd800 && letter <= 0xdfff {
			continue
		}
		value := reflect.New(kind)
		body := []byte("{\"" + string(letter) + "\":1}")
		if json.Unmarshal(body, value.Interface()) == nil && !value.Elem().IsZero() {
			found = append(found, letter)
		}
	}
	return string(found)
}

type read struct {
	Path   string   `json:"path"`
	Query  string   `json:"query"`
	Values []string `json:"values"`
}

func target(text string) *read {
	head := "POST " + text + " HTTP/1.1\r\nHost: d\r\n\r\n"
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return nil
	}
	values := request.URL.Query()["fromImage"]
	if values == nil {
		values = []string{}
	}
	return &read{request.URL.Path, request.URL.RawQuery, values}
}

func answer(question string, words []string) any {
	switch question {
	case "key":
		return takes(words[0], words[1])
	case "letters":
		return letters()
	case "body":
		var value any
		decoder := json.NewDecoder(bytes.NewReader([]byte(words[0])))
		decoder.UseNumber()
		if decoder.Decode(&value) != nil {
			return nil
		}
		return []any{value}
	default:
		return target(words[0])
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		var words []string
		if err := json.Unmarshal(lines.Bytes(), &words); err != nil {
			panic(err)
		}
		said := answer(words[0], words[1:])
		if kept, ok := said.(*read); ok && kept == nil {
			said = nil
		}
		text, err := json.Marshal(said)
		if err != nil {
			panic(err)
		}
		out.Write(text)
		out.WriteByte('\n')
	}
}
