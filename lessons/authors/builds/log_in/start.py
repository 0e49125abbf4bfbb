"""Your log-in.

The judge starts this file as `python log_in.py --port N`. It then talks to 127.0.0.1, port N, as a
browser does: it keeps cookies, and sends back the hidden field `csrf_token` of the last page.
In the end it sends SIGTERM, and the program has to end.
From goal 2 on, a traceback in what the program prints is a fault, also if the answers are right.

- `GET /login` and `GET /register` answer with a page that has a form and the hidden field.
- `POST /login` has the fields `username` and `password`. Right: a redirect (302 or 303) that leads
  to `/single`, and a cookie. Wrong: 401. Too many wrong ones: 429.
- `POST /register` has the same fields. Accepted: a redirect to `/login`. Refused: 400 to 499.
- `GET /single` is a page with the user's name for who is logged in. Anybody else is sent to the
  log-in by a redirect.
- `POST /logout` ends the session.

The accounts are in the table `userinfo` of sql/seed.sql. It takes hashed passwords only:
`generate_password_hash(password, "scrypt:32768:8:1")` of werkzeug.security. The password of the
users there is `let-me-learn`. A table `logins` is there for you as well. The database is where
demos.pool_demo.settings.connect_args() says.

You may import the standard library, flask, flask_wtf, werkzeug, limits, gevent, pymysql, dbutils
and demos.pool_demo (MysqlHelp). Do not import or start demos.private_chat: what it does is what you
build.
"""
