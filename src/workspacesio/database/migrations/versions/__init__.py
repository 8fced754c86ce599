"""Steps of the schema. A step that was released is never edited; expand before you contract."""
