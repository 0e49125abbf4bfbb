"""A7, A8: Six operations with MysqlHelp, and the table after each.

Source: A7 builds MysqlHelp. A8 uses it for six operations, and figures 3 to 6 show the table after
each change. There the row with id 7 is renamed and deleted. With the seed data Angelababy gets id
6, so this step looks her id up.

See: the result of each call, then the table. The source has a screenshot there. The update of id 7
returns False, because there is no such row. The source's class, with an execute, returns True
(E10).

Try: repeat the update of her name. It returns True again although nothing changes, because a row
matched.

New: step 4 wrote SQL, commit and close in a block. Here each operation is one call and one
transaction.
"""

from demos.instruments.screen import conclude, run, table
from demos.pool_demo.mysqlhelp import MysqlHelp
from demos.pool_demo.seed import restored

ALL = "select * from student"
ADD = "insert into student(name, age, gender) values(%s, %s, %s)"
RENAME = "update student set name = %s where id = %s"


def main() -> None:
    """Run the six operations of A8."""
    with restored("student"):
        db = MysqlHelp()

        def show(call: str, result: object) -> None:
            print(f"\n{call}\n   -> {result}")
            table("   student:", db.selectall(ALL))

        show("1. selectall", db.selectall(ALL))
        show("2. selectone", db.selectone(ALL))
        show("3. insert 小甜甜", db.insert(ADD, ("小甜甜", 20, "女")))
        two = [("赵丽颖", 21, "女"), ("Angelababy", 22, "女")]
        show("4. insertmany 赵丽颖, Angelababy", db.insertmany(ADD, two))

        found = db.selectone("select id from student where name = %s", ("Angelababy",)) or {}
        her = found.get("id")
        missed = db.update(RENAME, ("杨颖", 7))
        print(f"\nHer id is {her}. Renaming id 7, as in the source -> {missed}")
        show(f"5. update id {her} to 杨颖", db.update(RENAME, ("杨颖", her)))
        show(f"6. delete id {her}", db.delete("delete from student where id = %s", (her,)))
        left = [row["id"] for row in db.selectall(ALL)]
        MysqlHelp.close_all()
    conclude(f"Angelababy had id {her}; update of id 7 said {missed}; the ids left are {left}.")


if __name__ == "__main__":
    run(main)
