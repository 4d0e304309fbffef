"""Log in to PostgreSQL with SCRAM-SHA-256, do a sum in SQL, and check the server's version.

HOST USER PASSWORD MINIMUM, the minimum as server_version_num writes it: 17.5 is 170005. Standard
library only. The scenarios hold a copy, which `-c` runs: nothing has to be mounted.
"""
import base64, hashlib, hmac, os, socket, struct, sys

host, user, password, minimum = sys.argv[1:]
connection = socket.create_connection((host, 5432), timeout=10)
stream = connection.makefile("rb")

def send(kind, body):
    connection.sendall(kind + struct.pack("!I", len(body) + 4) + body)

def receive(wanted):
    while True:
        kind, length = struct.unpack("!cI", stream.read(5))
        body = stream.read(length - 4)
        if kind == b"E":
            sys.exit("the server says: " + body.replace(b"\0", b" ").decode())
        if kind == wanted:
            return body

def ask(question):
    send(b"Q", question.encode() + b"\0")
    answer = receive(b"D")[6:].decode()
    receive(b"Z")
    return answer

send(b"", struct.pack("!I", 196608) + f"user\0{user}\0database\0postgres\0\0".encode())
receive(b"R")
first = "n=,r=" + base64.b64encode(os.urandom(18)).decode()
send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first) + 3) + b"n,," + first.encode())
challenge = receive(b"R")[4:].decode()
nonce, salt, rounds = (part[2:] for part in challenge.split(","))
salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
key = hmac.digest(salted, b"Client Key", "sha256")
last = "c=biws,r=" + nonce
signature = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{last}".encode(), "sha256")
proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
send(b"p", f"{last},p={proof}".encode())
receive(b"Z")
print("21 * 2 =", ask("select 21 * 2"))
version = ask("show server_version_num")
print("server_version", ask("show server_version"))
if int(version) < int(minimum):
    sys.exit(f"the server's version is {version}, and {minimum} is needed")
print("SUCCESS: new enough")
